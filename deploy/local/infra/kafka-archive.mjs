// Started in the background by the launcher when there is no class-data archive yet: runs a second broker for a moment
// and lets its JVM write down the classes it loaded. With the archive later brokers are up in about half the time.
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { archiveFile, kafkaFolder } from './kafka-files.mjs';
import { prepareKafka } from './kafka.mjs';
import { isAlive, signalProcess, spawnDetached, waitUntil } from './process.mjs';
import { probes } from './probes.mjs';
import { reserveFreePorts } from './free-port.mjs';

const DUMP_MS = 120_000;
const STALE_LOCK_MS = 300_000;

/** Starts the maker of the archive at the lowest priority. Returns its identity, or undefined when there is nothing to do. */
export async function startArchiveMaker(logFile) {
  if (existsSync(await archiveFile())) return undefined;
  const script = fileURLToPath(import.meta.url);
  return spawnDetached({ command: 'nice', args: ['-n', '19', process.execPath, script], cwd: kafkaFolder(), logFile });
}

/** Ends the maker with the broker that it started, and removes what it left. */
export async function stopArchiveMaker(identity) {
  if (!isAlive(identity)) return;
  signalProcess(identity.pid, 'SIGTERM');
  if (!(await waitUntil(() => !isAlive(identity), 10_000))) signalProcess(identity.pid, 'SIGKILL');
}

async function makeArchive() {
  const lock = join(kafkaFolder(), 'archive.lock');
  if (!takeLock(lock)) return;
  const folder = mkdtempSync(join(kafkaFolder(), 'archive-'));
  let broker;
  const cleanUp = () => {
    if (isAlive(broker)) signalProcess(broker.pid, 'SIGKILL');
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
    rmSync(lock, { recursive: true, force: true });
  };
  process.once('SIGTERM', () => {
    cleanUp();
    process.exit(143);
  });
  try {
    const ports = await reserveFreePorts(['broker', 'controller']);
    const draft = join(folder, 'classes.jsa');
    const logFile = join(folder, 'kafka.log');
    const { launch } = await prepareKafka({
      runDir: folder,
      port: ports.broker,
      controllerPort: ports.controller,
      logFile,
      writeArchive: draft,
    });
    broker = await spawnDetached(launch);
    await waitUntil(async () => (await probes.kafka(launch)) || !isAlive(broker), DUMP_MS);
    signalProcess(broker.pid, 'SIGTERM');
    await waitUntil(() => !isAlive(broker), DUMP_MS);
    if (existsSync(draft)) renameSync(draft, await archiveFile());
  } finally {
    cleanUp();
  }
}

function takeLock(lock) {
  try {
    if (Date.now() - statSync(lock).mtimeMs > STALE_LOCK_MS) rmSync(lock, { recursive: true, force: true });
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
  }
  try {
    mkdirSync(lock);
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw error;
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) void makeArchive();
