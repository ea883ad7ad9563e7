import { z } from 'zod';
import { baseConfigShape, peerUrl, port } from '@daya/nest';

const GIB = 1_024 ** 3;
const perSecond = (fallback: number) => z.coerce.number().gt(0).max(1_000_000).default(fallback);
const burst = (fallback: number) => z.coerce.number().int().min(1).max(1_000_000).default(fallback);

export const configSchema = z.object({
  ...baseConfigShape,
  /** REST, server-sent events and OpenAPI; behind the operator's TLS termination. */
  HTTP_PORT: port,
  /** gRPC over TLS, for partners. */
  PARTNER_PORT: port,
  REGISTRY_URL: peerUrl,
  SCHEDULER_URL: peerUrl,
  DISPATCH_URL: peerUrl,
  METERING_URL: peerUrl,
  BILLING_URL: peerUrl,
  REWARDS_URL: peerUrl,
  /** Requests of one API key. */
  RATE_KEY_PER_SECOND: perSecond(500),
  RATE_KEY_BURST: burst(2_000),
  /** Requests without a valid key, per address. */
  RATE_ADDRESS_PER_SECOND: perSecond(20),
  RATE_ADDRESS_BURST: burst(200),
  /** Reverse proxies in front of HTTP_PORT whose X-Forwarded-For is believed; 0: the header is ignored. */
  TRUSTED_PROXIES: z.coerce.number().int().min(0).max(10).default(0),
  BLOB_BYTES_MAX: z.coerce
    .number()
    .int()
    .min(1)
    .max(Number.MAX_SAFE_INTEGER)
    .default(20 * GIB),
});

export type GatewayConfig = z.infer<typeof configSchema>;

/** The services behind the gateway; each owns the proto package `daya.<name>.v1`. */
export const PEERS = ['registry', 'scheduler', 'dispatch', 'metering', 'billing', 'rewards'] as const;
export type Peer = (typeof PEERS)[number];

export const urlOf = (config: GatewayConfig, peer: Peer): string =>
  config[`${peer.toUpperCase() as Uppercase<Peer>}_URL`];
