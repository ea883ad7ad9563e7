import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createClient, Identity, type GrpcClient, type Member } from '@daya/nest/client';
import { SCOPES } from '@daya/proto';
import { OfferServiceService, ProviderServiceService } from '@daya/proto/registry';
import { SchedulerServiceService } from '@daya/proto/scheduler';

/** Where the platform under test is: part of what deploy/local/platform/launch.mjs returns. */
export interface PlatformPlace {
  readonly runDir: string;
  readonly tlsFolder: string;
  /** Environment of each service. */
  readonly env: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

export interface PlatformClients {
  readonly providers: GrpcClient<typeof ProviderServiceService>;
  readonly offers: GrpcClient<typeof OfferServiceService>;
  readonly scheduler: GrpcClient<typeof SchedulerServiceService>;
  close(): void;
}

/** Clients that call as the gateway does for members, past its rate limits. */
export function platformClients({ tlsFolder, env }: PlatformPlace): PlatformClients {
  const identity = new Identity({
    service: 'gateway',
    keyFile: join(tlsFolder, 'gateway.jwk.json'),
    jwksFile: join(tlsFolder, 'jwks.json'),
  });
  const ca = readFileSync(join(tlsFolder, 'ca.pem'));
  const to = (service: string) => {
    const port = env[service]?.['GRPC_PORT'];
    if (port === undefined) throw new Error(`the platform does not say where ${service} is`);
    return { url: `127.0.0.1:${port}`, audience: service, identity, tls: { ca } };
  };
  const providers = createClient(ProviderServiceService, to('registry'));
  const offers = createClient(OfferServiceService, to('registry'));
  const scheduler = createClient(SchedulerServiceService, to('scheduler'));
  const close = (): void => {
    for (const client of [providers, offers, scheduler]) client.onModuleDestroy();
  };
  return { providers, offers, scheduler, close };
}

/** An organisation's owner with a key for everything. */
export const ownerOf = (organisationId: string): Member => ({
  kind: 'member',
  organisationId,
  role: 'owner',
  scopes: SCOPES,
  keyId: 'bench',
  operator: false,
});
