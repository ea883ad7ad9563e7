import 'reflect-metadata';
import type { DynamicModule, INestMicroservice, Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { AUTHZ, type AuthzRule } from '@daya/proto';
import { AdminHttp } from './admin-http';
import type { BaseConfig } from './config';
import type { ServiceDefinition } from './grpc/definition';
import { GrpcStrategy, RethrowFilter } from './grpc/grpc-strategy';
import type { ListenerOptions } from './grpc/listener';
import { Identity } from './identity/identity';
import { loadTls } from './identity/tls';
import { nestLogger, platformModule } from './platform-module';
import type { Token } from './provide';
import { Readiness } from './readiness';
import { onStopSignals, stopService } from './stop';
import { createLogger, type Logger } from './telemetry/logger';
import { collectProcessMetrics } from './telemetry/metrics';
import { startTracing } from './telemetry/tracing';

/** Something that runs in the background: a consumer, a relay, a sweeper. */
export interface Startable {
  start(): Promise<void>;
  stop(): Promise<void>;
}

type StartableToken = (abstract new (...args: never[]) => Startable) | Token<Startable>;

export interface ServiceOptions {
  readonly name: string;
  readonly config: BaseConfig;
  readonly module: Type | DynamicModule;
  /** Served on GRPC_PORT to the platform's own services. */
  readonly grpc: readonly ServiceDefinition[];
  /** Further ports of the same process; `tls` defaults to the service's own certificate. */
  readonly listeners?: readonly (Omit<ListenerOptions, 'tls'> & Partial<Pick<ListenerOptions, 'tls'>>)[];
  /** Started in this order once the ports are open, stopped in reverse. */
  readonly startables?: readonly StartableToken[];
  /** Full method path → largest request in bytes, where 256 KiB is not right. */
  readonly maxRequestBytes?: Readonly<Record<string, number>>;
  /** Rejects when this service cannot work (its own database, not its peers); asked every 2 s. */
  readonly ready?: (app: INestMicroservice) => Promise<void>;
  readonly onStart?: (app: INestMicroservice) => Promise<void>;
  readonly onStop?: (app: INestMicroservice) => Promise<void>;
  readonly authz?: Readonly<Record<string, AuthzRule>>;
  /** False in tests: the process is not this service's own, so signals and crashes are not its business. */
  readonly ownsProcess?: boolean;
  readonly log?: Logger;
}

export interface RunningService {
  readonly app: INestMicroservice;
  /** Ports by listener: `grpc`, `admin`, and those of `listeners`. */
  readonly ports: Readonly<Record<string, number>>;
  /** Graceful and idempotent. */
  stop(): Promise<void>;
}

/** Boots a service: Nest, its gRPC listeners, health, reflection, admin HTTP, background work, a graceful end. */
export async function runService(options: ServiceOptions): Promise<RunningService> {
  const { name, config } = options;
  const log = options.log ?? createLogger({ LOG_LEVEL: config.LOG_LEVEL, SERVICE: name });
  startTracing(name, config.OTEL_EXPORTER_OTLP_ENDPOINT);
  collectProcessMetrics();
  const identity = new Identity({ service: name, keyFile: config.IDENTITY_KEY_FILE, jwksFile: config.JWKS_FILE });
  const strategy = strategyOf(options, identity, log);
  const root: DynamicModule = { module: RootModule, imports: [platformModule(identity, log), options.module] };
  const app = await NestFactory.createMicroservice(root, { strategy, logger: nestLogger(log), abortOnError: false });
  app.useGlobalFilters(new RethrowFilter());
  const check = options.ready;
  const readiness = new Readiness(check && (() => check(app)), (ready) => strategy.setServing(ready), log);
  const admin = new AdminHttp({
    port: config.ADMIN_PORT,
    bindAddress: config.BIND_ADDRESS,
    notReady: () => readiness.notReady(),
  });
  const started: Startable[] = [];
  const stop = once(() =>
    stopService({ name, config, log, app, strategy, readiness, admin, started, onStop: options.onStop }),
  );
  if (options.ownsProcess !== false) onStopSignals(log, stop);
  try {
    const adminPort = await admin.listen();
    await app.listen();
    await startAll(app, options, started);
    await readiness.start();
    const ports = { ...strategy.ports, admin: adminPort };
    log.info({ ports }, `${name} is up`);
    return { app, ports, stop };
  } catch (error) {
    await stop().catch(() => undefined);
    throw error;
  }
}

class RootModule {}

function strategyOf({ name, config, ...options }: ServiceOptions, identity: Identity, log: Logger): GrpcStrategy {
  const tls = loadTls(config.TLS_FOLDER, name);
  const main: ListenerOptions = {
    name: 'grpc',
    port: config.GRPC_PORT,
    audience: 'services',
    services: options.grpc,
    tls,
  };
  const others = (options.listeners ?? []).map((listener) => ({ tls, ...listener }));
  return new GrpcStrategy([main, ...others], {
    identity,
    log,
    bindAddress: config.BIND_ADDRESS,
    authz: options.authz ?? AUTHZ,
    maxRequestBytes: options.maxRequestBytes ?? {},
    streamMaxAgeMs: config.STREAM_MAX_AGE_MS,
  });
}

async function startAll(app: INestMicroservice, options: ServiceOptions, started: Startable[]): Promise<void> {
  await options.onStart?.(app);
  for (const startable of options.startables ?? []) {
    const one = app.get<Startable>(startable as never, { strict: false });
    started.push(one);
    await one.start();
  }
}

function once(fn: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined;
  return () => (running ??= fn());
}
