import { context, trace } from '@opentelemetry/api';
import { pino, type DestinationStream, type Logger as PinoLogger } from 'pino';

export type Logger = PinoLogger;

/** Names whose values never reach a log, at the top of a line and one level down. */
const SECRET_NAMES = [
  'authorization',
  'x-daya-caller',
  'token',
  'password',
  'secret',
  'secrets',
  'apiKey',
  'api_key',
  'privateKey',
  'private_key',
  'enrolmentToken',
  'env',
  'DATABASE_URL',
  'DATABASE_SYSTEM_URL',
  'DATABASE_OWNER_URL',
  'REDIS_URL',
];

const REDACTED_PATHS = SECRET_NAMES.flatMap((name) => [`["${name}"]`, `*["${name}"]`]);

function traceIds(): Record<string, string> {
  const span = trace.getSpanContext(context.active());
  return span === undefined ? {} : { trace_id: span.traceId, span_id: span.spanId };
}

/** JSON lines on stdout with the ids of the active trace, without secrets. `destination` is for tests. */
export function createLogger(
  config: { readonly LOG_LEVEL: string; readonly SERVICE?: string },
  destination?: DestinationStream,
): Logger {
  const options = {
    level: config.LOG_LEVEL,
    base: config.SERVICE === undefined ? {} : { service: config.SERVICE },
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: (label: string) => ({ level: label }) },
    mixin: traceIds,
    redact: { paths: REDACTED_PATHS, censor: '[redacted]' },
  };
  return destination === undefined ? pino(options) : pino(options, destination);
}
