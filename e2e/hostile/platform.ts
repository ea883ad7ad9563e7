import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A running platform, as its launcher describes it in platform.json. */
export interface Platform {
  readonly tlsFolder: string;
  readonly timerScale: number;
  /** `host:port` of dispatch's listener for machines without a certificate. */
  readonly enrolment: string;
  /** Per service, the environment of its process. */
  readonly env: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly databases: Readonly<Record<string, { readonly auditUrl: string }>>;
  readonly pids: Readonly<Record<string, number>>;
}

/** What platform.json says in the folder that DAYA_PLATFORM names. Throws when there is none: these tests never skip. */
export function readPlatform(): Platform {
  const folder = process.env['DAYA_PLATFORM'];
  if (folder === undefined || folder === '') throw new Error('DAYA_PLATFORM names no run folder of a running platform');
  return JSON.parse(readFileSync(join(folder, 'platform.json'), 'utf8')) as Platform;
}

/** `host:port` of a service's listener. */
export function addressOf(platform: Platform, service: string, port = 'GRPC_PORT'): string {
  const number = platform.env[service]?.[port];
  if (number === undefined) throw new Error(`platform.json has no ${port} of ${service}`);
  return `127.0.0.1:${number}`;
}

/** The services whose process is gone or was started anew since; empty when none crashed. */
export function crashed({ pids }: Platform): string[] {
  return Object.entries(pids)
    .filter(([service, pid]) => !commandLine(pid).includes(`services/${service}/`))
    .map(([service]) => service);
}

function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}
