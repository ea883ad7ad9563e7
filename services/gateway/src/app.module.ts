import type { DynamicModule } from '@nestjs/common';
import { Identity, LOGGER, provide, provideAs, provideValue, provideWith, token, type Logger } from '@daya/nest';
import { AUTHZ, descriptorImage } from '@daya/proto';
import { Admission } from './access/admission';
import { KeyAuthority, KeyRing } from './access/key-ring';
import { KeyWatch } from './access/key-watch';
import { AUTHENTICATE, RegistryKeys } from './access/registry-keys';
import { StreamSlots } from './access/stream-slots';
import { TokenBuckets } from './access/token-buckets';
import { loadCatalogue, type Catalogue } from './api/catalogue';
import { openApiOf, type OpenApiDocument } from './api/open-api';
import type { GatewayConfig } from './config';
import { FrontDoor } from './http/front-door';
import { HttpServer } from './http/http-server';
import { routesOf } from './http/routes';
import { PartnerServer } from './partner/partner-server';
import { Peers } from './peers';

const CATALOGUE = token<Catalogue>('CATALOGUE');
const BY_KEY = token<TokenBuckets>('BY_KEY');
const BY_ADDRESS = token<TokenBuckets>('BY_ADDRESS');

/** Every binding of the service. */
export class AppModule {
  static with(config: GatewayConfig): DynamicModule {
    return { module: AppModule, providers: [...access(config), ...doors(config)] };
  }
}

const access = (config: GatewayConfig) => [
  provideWith(CATALOGUE, () => loadCatalogue(descriptorImage(), AUTHZ), []),
  provideWith(
    Peers,
    (identity: Identity, { members }: Catalogue) => new Peers(config, identity, members, { registry: [AUTHENTICATE] }),
    [Identity, CATALOGUE],
  ),
  provideAs(KeyAuthority, RegistryKeys, [Peers]),
  provideWith(KeyRing, (authority: KeyAuthority) => new KeyRing(authority), [KeyAuthority]),
  provideWith(KeyWatch, (keys: KeyRing) => new KeyWatch(keys), [KeyRing]),
  provideValue(BY_KEY, new TokenBuckets({ perSecond: config.RATE_KEY_PER_SECOND, burst: config.RATE_KEY_BURST })),
  provideValue(
    BY_ADDRESS,
    new TokenBuckets({ perSecond: config.RATE_ADDRESS_PER_SECOND, burst: config.RATE_ADDRESS_BURST }),
  ),
  provide(Admission, [KeyRing, BY_KEY, BY_ADDRESS]),
  provide(StreamSlots, [KeyWatch]),
];

const doors = (config: GatewayConfig) => [
  provideWith(
    HttpServer,
    (catalogue: Catalogue, peers: Peers, admission: Admission, slots: StreamSlots, log: Logger) => {
      let document: OpenApiDocument | undefined;
      const routes = routesOf({
        catalogue,
        peers,
        slots,
        blobBytesMax: config.BLOB_BYTES_MAX,
        document: () => (document ??= openApiOf(catalogue)),
      });
      const door = new FrontDoor(routes, admission, log, config.TRUSTED_PROXIES);
      return new HttpServer(door, slots, {
        port: config.HTTP_PORT,
        bindAddress: config.BIND_ADDRESS,
        drainMs: config.DRAIN_MS,
      });
    },
    [CATALOGUE, Peers, Admission, StreamSlots, LOGGER],
  ),
  provideWith(
    PartnerServer,
    (catalogue: Catalogue, peers: Peers, admission: Admission, slots: StreamSlots, log: Logger) =>
      new PartnerServer({ peers, admission, slots, log }, catalogue, {
        port: config.PARTNER_PORT,
        bindAddress: config.BIND_ADDRESS,
        tlsFolder: config.TLS_FOLDER,
        drainMs: config.DRAIN_MS,
      }),
    [CATALOGUE, Peers, Admission, StreamSlots, LOGGER],
  ),
];
