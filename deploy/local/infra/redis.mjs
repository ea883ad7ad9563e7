import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Every reply comes after the write to the append-only file, so a killed process loses nothing; `durable` adds the
 * flush to disk each second that a power failure needs.
 */
export function prepareRedis({ runDir, port, durable, logFile }) {
  const folder = join(runDir, 'redis');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const settings = {
    port,
    bind: '127.0.0.1',
    dir: folder,
    appendonly: 'yes',
    appendfsync: durable ? 'everysec' : 'no',
    save: '',
    'maxmemory-policy': 'noeviction',
    daemonize: 'no',
    databases: 16,
  };
  const launch = {
    command: 'redis-server',
    args: Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]),
    cwd: folder,
    logFile,
    port,
    probe: 'redis',
    stopSignal: 'SIGTERM',
    readyMs: 30_000,
    stopMs: 10_000,
  };
  return { launch, temporaryFolders: [] };
}
