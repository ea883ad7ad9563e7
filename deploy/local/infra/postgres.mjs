import { chownSync, existsSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ownedFolder, unprivilegedOwner } from './owner.mjs';
import { cachedEmbeddedPostgres, reachableBinaries, systemPostgres } from './postgres-binaries.mjs';
import { mustRun, runProgram } from './process.mjs';

const INITDB_MS = 60_000;
const MAX_CONNECTIONS = 300;

/** Makes the data folder; returns the server record `{ launch, temporaryFolders, version }`. */
export async function preparePostgres({ runDir, port, password, durable, logFile }) {
  const found = (await systemPostgres()) ?? (await cachedEmbeddedPostgres());
  if (found === undefined) throw new Error("Postgres is missing: call ensureTools(['postgres']) first");
  const owner = await unprivilegedOwner();
  const binaries = await reachableBinaries(found, owner);
  const home = await ownedFolder(join(runDir, 'postgres'), owner);
  const temporaryFolders = [home.temporary ? home.folder : undefined, binaries.temporary].filter(
    (folder) => folder !== undefined,
  );
  const dataFolder = join(home.folder, 'data');
  try {
    await initialise({ binFolder: binaries.binFolder, home: home.folder, dataFolder, password, durable, owner });
  } catch (error) {
    for (const folder of temporaryFolders) rmSync(folder, { recursive: true, force: true });
    throw error;
  }
  const launch = {
    command: join(binaries.binFolder, 'postgres'),
    args: ['-D', dataFolder, ...settings({ port, durable })],
    cwd: '/',
    ...owner,
    logFile,
    port,
    probe: 'postgres',
    pidFile: join(dataFolder, 'postmaster.pid'),
    ownFolder: realpathSync(dataFolder),
    // SIGINT is Postgres' fast shutdown; SIGTERM would wait until the last client has left.
    stopSignal: 'SIGINT',
    readyMs: 60_000,
    stopMs: 20_000,
  };
  return { launch, temporaryFolders, version: `${found.version} (${found.source})` };
}

async function initialise({ binFolder, home, dataFolder, password, durable, owner }) {
  const passwordFile = join(home, 'password');
  writeFileSync(passwordFile, `${password}\n`, { mode: 0o600 });
  if (owner !== undefined) chownSync(passwordFile, owner.uid, owner.gid);
  const args = [
    '-D',
    dataFolder,
    '-U',
    'postgres',
    '--auth=scram-sha-256',
    `--pwfile=${passwordFile}`,
    '-E',
    'UTF8',
    '--locale=C',
    '--no-instructions',
  ];
  try {
    await mustRun('initdb', join(binFolder, 'initdb'), durable ? args : [...args, '--no-sync'], {
      ...owner,
      cwd: '/',
      timeoutMs: INITDB_MS,
    });
  } finally {
    rmSync(passwordFile, { force: true });
  }
}

function settings({ port, durable }) {
  const safety = durable ? 'on' : 'off';
  const values = {
    listen_addresses: '127.0.0.1',
    port,
    unix_socket_directories: '',
    max_connections: MAX_CONNECTIONS,
    timezone: 'UTC',
    log_timezone: 'UTC',
    fsync: safety,
    synchronous_commit: safety,
    full_page_writes: safety,
    // Segments as files in the data folder: nothing is left in /dev/shm when the server was killed and never started again.
    dynamic_shared_memory_type: 'mmap',
  };
  return Object.entries(values).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
}

/**
 * Takes away what a killed server left: its small System V memory segment (line 7 of the pid file names it) and the pid file,
 * which would stop the next start for as long as the dead process waits to be reaped by its parent.
 * Only for a server of which no process lives.
 */
export async function clearStaleLock({ pidFile }) {
  if (!existsSync(pidFile)) return;
  const id = /^\s*\d+\s+(\d+)\s*$/.exec(readFileSync(pidFile, 'utf8').split('\n')[6] ?? '')?.[1];
  if (id !== undefined) await runProgram('ipcrm', ['-m', id]);
  rmSync(pidFile, { force: true });
}
