import {
  createClient,
  createLogger,
  Identity,
  runService,
  type GrpcClient,
  type RunningService,
  type ServiceDefinition,
  type ServiceOptions,
} from '@daya/nest';
import type { TestDatabase } from './test-database';
import type { TestIdentity } from './test-identity';
import type { TestKafka } from './test-kafka';
import type { TestRedis } from './test-redis';

export interface TestEnvironment {
  readonly service: string;
  readonly identity: TestIdentity;
  readonly database?: TestDatabase;
  readonly kafka?: TestKafka;
  readonly redis?: TestRedis;
  /** Peers' URLs and whatever else the service reads; wins over the rest. */
  readonly more?: Readonly<Record<string, string>>;
}

/** The environment of a service under test, as `loadConfig` reads it: ports chosen by the system, loopback only. */
export function testEnvironment({
  service,
  identity,
  database,
  kafka,
  redis,
  more,
}: TestEnvironment): Record<string, string> {
  return {
    GRPC_PORT: '0',
    ADMIN_PORT: '0',
    BIND_ADDRESS: '127.0.0.1',
    LOG_LEVEL: 'error',
    TIMER_SCALE: '0.2',
    ...identity.env(service),
    ...database?.env,
    ...kafka?.env,
    ...redis?.env,
    ...more,
  };
}

export interface TestService extends RunningService {
  /** `host:port` of the service's gRPC listener. */
  readonly url: string;
  /** `http://host:port` of its admin listener. */
  readonly adminUrl: string;
}

/** Boots a service in this process: `main.ts` without signal handlers. The test stops it. */
export async function startTestService(options: ServiceOptions): Promise<TestService> {
  const log = options.log ?? createLogger({ LOG_LEVEL: options.config.LOG_LEVEL, SERVICE: options.name });
  const running = await runService({ ...options, log, ownsProcess: false });
  return {
    ...running,
    url: `127.0.0.1:${running.ports['grpc']}`,
    adminUrl: `http://127.0.0.1:${running.ports['admin']}`,
  };
}

/** A client that calls as the service `from` (members come by `{ caller }` of the calls of `gateway`). Close: `onModuleDestroy()`. */
export function testClient<D extends ServiceDefinition>(
  definition: D,
  options: { readonly identity: TestIdentity; readonly from: string; readonly url: string; readonly audience: string },
): GrpcClient<D> {
  const { IDENTITY_KEY_FILE, JWKS_FILE } = options.identity.env(options.from);
  const identity = new Identity({ service: options.from, keyFile: IDENTITY_KEY_FILE, jwksFile: JWKS_FILE });
  return createClient(definition, {
    url: options.url,
    audience: options.audience,
    identity,
    tls: { ca: options.identity.ca },
  });
}
