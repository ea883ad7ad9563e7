import { appendFileSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** One process of the platform under the test's hands. */
export interface Managed {
  readonly name: string;
  readonly pid: number;
  readonly env: Readonly<Record<string, string>>;
  start(): Promise<void>;
  stop(): Promise<void>;
  kill(signal?: NodeJS.Signals): Promise<void>;
  restart(): Promise<void>;
  isAlive(): boolean;
  isReady(): Promise<boolean>;
  logTail(): string;
}

export interface DatabaseUrls {
  readonly url: string;
  readonly systemUrl: string;
  readonly ownerUrl: string;
  readonly auditUrl: string;
}

export interface Platform {
  readonly runDir: string;
  readonly timerScale: number;
  readonly tlsFolder: string;
  readonly http: string;
  readonly partner: string;
  readonly enrolment: string;
  readonly operatorKey: string;
  readonly databases: Readonly<Record<string, DatabaseUrls>>;
  readonly env: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly services: Readonly<Record<ServiceName, Managed>>;
}

export type ServiceName = 'registry' | 'scheduler' | 'dispatch' | 'metering' | 'billing' | 'rewards' | 'gateway';

export interface Server {
  start(): Promise<void>;
  stop(): Promise<void>;
  kill(signal?: NodeJS.Signals): Promise<void>;
  restart(): Promise<void>;
}

export interface Infra {
  readonly postgres: { readonly host: string; readonly port: number; readonly user: string; readonly password: string };
  readonly redis: { readonly url: string };
  readonly kafka: { readonly brokers: string[] };
  readonly servers: Readonly<Record<'postgres' | 'redis' | 'kafka', Server>>;
}

/** The run folder of the platform that `npm test` started. Throws when there is none: these tests never skip. */
export function runFolder(): string {
  const folder = process.env['DAYA_PLATFORM'];
  if (folder === undefined || folder === '')
    throw new Error('DAYA_PLATFORM names no run folder: run the tests by `npm test`, which starts a platform');
  return folder;
}

/** The launcher's own modules: plain scripts, typed here. */
export function script<T>(path: string): T {
  // jest turns the scripts' modules into CommonJS, as it does with everything else it loads.
  return require(join(__dirname, '../../deploy/local', path)) as T;
}

export function attachPlatform(): Platform {
  return script<{ attachPlatform(runDir: string): Platform }>('platform/launch.mjs').attachPlatform(runFolder());
}

export function attachInfra(): Promise<Infra> {
  const { attachInfra: attach } = script<{ attachInfra(options: { runDir: string }): Promise<Infra> }>(
    'infra/index.mjs',
  );
  return attach({ runDir: join(runFolder(), 'infra') });
}

/** Manifest digests of the images whose blobs the operator and `upload` put into the store. */
export function images(): Readonly<Record<string, { readonly digest: string; readonly layoutDir: string }>> {
  return JSON.parse(readFileSync(join(runFolder(), 'images.json'), 'utf8')) as ReturnType<typeof images>;
}

/** Adds to a report that `npm test` prints at the end: a table or figures that a person wants to read. */
export function report(name: string, text: string): void {
  const folder = join(runFolder(), 'reports');
  mkdirSync(folder, { recursive: true });
  appendFileSync(join(folder, `${name}.txt`), `${text}\n`);
  process.stderr.write(`\n${text}\n`);
}
