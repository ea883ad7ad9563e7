import { z } from 'zod';
import { baseConfigShape, kafkaConfigShape, peerUrl, port, redisConfigShape } from '@daya/nest';

const GIB = 1_024 ** 3;
const MIB = 1_024 ** 2;
const count = (fallback: number, max: number) => z.coerce.number().int().min(1).max(max).default(fallback);
const bytes = (fallback: number) => z.coerce.number().int().min(1).max(Number.MAX_SAFE_INTEGER).default(fallback);

export const configSchema = z.object({
  ...baseConfigShape,
  ...kafkaConfigShape,
  ...redisConfigShape,
  REGISTRY_URL: peerUrl,
  SCHEDULER_URL: peerUrl,
  /** Agents, with client certificates. */
  AGENT_PORT: port,
  /** Machines without a certificate: Enrol and Renew only. */
  ENROLMENT_PORT: port,
  /** host:port at which agents reach AGENT_PORT, as they are told. */
  AGENT_ADDRESS: peerUrl,
  /** Blobs, logs and permits; shared by all replicas. */
  STORE_FOLDER: z.string(),
  STORE_QUOTA_BYTES: bytes(200 * GIB),
  BLOB_BYTES_MAX: bytes(20 * GIB),
  LOG_BYTES_MAX: bytes(4 * MIB),
  AGENTS_MAX: count(10_000, 100_000),
  ENROL_BURST: count(20, 10_000),
  ENROL_PER_MINUTE: count(60, 100_000),
  DISPATCH_QUEUE_COUNT: z.coerce
    .number()
    .int()
    .min(1)
    .max(256)
    .refine((value) => Number.isInteger(Math.log2(value)), 'is not a power of two')
    .default(8),
});

export type DispatchConfig = z.infer<typeof configSchema>;
