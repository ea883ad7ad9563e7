import { z } from 'zod';

/** Every problem of the environment at once; values are never repeated, they may be secrets. */
export class ConfigError extends Error {
  constructor(readonly problems: readonly string[]) {
    super(`the configuration has ${problems.length} problem(s):\n${problems.map((line) => `  - ${line}`).join('\n')}`);
    this.name = 'ConfigError';
  }
}

/** Reads the environment once, at start. Empty variables count as missing. Throws ConfigError with the whole list. */
export function loadConfig<T>(schema: z.ZodType<T>, env: Readonly<Record<string, string | undefined>>): T {
  const present = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value !== ''));
  const result = schema.safeParse(present);
  if (result.success) return result.data;
  throw new ConfigError(result.error.issues.map((issue) => problemOf(issue.path.join('.'), issue.message, present)));
}

function problemOf(name: string, message: string, present: Readonly<Record<string, unknown>>): string {
  return name in present ? `${name}: ${message}` : `${name} is missing`;
}

/** A TCP port; 0 lets the system choose one (tests). */
export const port = z.coerce.number().int().min(0).max(65_535);

/** Where a peer listens: `host:port` or a gRPC target such as `dns:///scheduler:8080`. */
export const peerUrl = z.string().regex(/^(?:[a-z]+:\/{2,3})?[^\s/:]+:\d{1,5}$/, 'is not host:port');

/** `true` or `false`; anything else is a problem, so a typing error never switches something on. */
export const flag = z.enum(['true', 'false']).transform((text) => text === 'true');

const milliseconds = z.coerce.number().int().min(0).max(3_600_000);

/** What every service needs; spread it into the service's own z.object. */
export const baseConfigShape = {
  GRPC_PORT: port,
  ADMIN_PORT: port,
  /** The address both listen on. */
  BIND_ADDRESS: z.string().default('0.0.0.0'),
  /** Holds ca.pem, <service>.cert.pem and <service>.key.pem. */
  TLS_FOLDER: z.string(),
  /** Private Ed25519 JWK of this service. */
  IDENTITY_KEY_FILE: z.string(),
  /** Public keys of all services; kid = service name. */
  JWKS_FILE: z.string(),
  TIMER_SCALE: z.coerce.number().gt(0).max(1).default(1),
  LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).default('info'),
  OTEL_EXPORTER_OTLP_ENDPOINT: z.url().optional(),
  /** Between NOT_SERVING and the end of accepting work: how long endpoints need to forget this process. */
  STOP_DELAY_MS: milliseconds.default(0),
  /** Calls in flight get this long to end before they are cut. */
  DRAIN_MS: milliseconds.default(10_000),
  /** A stream is ended after this age; the caller resumes it. */
  STREAM_MAX_AGE_MS: milliseconds.min(1).default(3_600_000),
} as const;

const postgresUrl = z.string().regex(/^postgres(?:ql)?:\/\//, 'is not a postgres:// URL');

export const databaseConfigShape = {
  /** Role <service>, under row-level security. */
  DATABASE_URL: postgresUrl,
  /** Role <service>_system, which sees every organisation: relays, engines, sweepers. */
  DATABASE_SYSTEM_URL: postgresUrl,
  /** Role <service>_owner; only `node dist/main.js migrate` reads it. */
  DATABASE_OWNER_URL: postgresUrl.optional(),
} as const;

export const kafkaConfigShape = {
  KAFKA_BROKERS: z
    .string()
    .transform((list) => list.split(',').map((broker) => broker.trim()))
    .pipe(z.array(peerUrl).min(1)),
  /** Stands before every topic and group. */
  KAFKA_PREFIX: z
    .string()
    .regex(/^[a-z0-9.-]*$/)
    .default(''),
} as const;

export const redisConfigShape = {
  REDIS_URL: z.string().regex(/^rediss?:\/\//, 'is not a redis:// URL'),
  BULLMQ_PREFIX: z
    .string()
    .regex(/^[a-z0-9-]+$/)
    .default('daya'),
} as const;

export type BaseConfig = z.infer<z.ZodObject<typeof baseConfigShape>>;
