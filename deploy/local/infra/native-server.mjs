import { clearStaleLock } from './postgres.mjs';
import { isAlive, processesIn, signalProcess, spawnDetached, tailOf, waitUntil } from './process.mjs';
import { probes } from './probes.mjs';
import { readState, updateState } from './state.mjs';

const KILL_MS = 5_000;
const ENDING_SIGNALS = new Set(['SIGKILL', 'SIGTERM', 'SIGINT', 'SIGQUIT', 'SIGABRT']);

/**
 * Handle on one server process of the stack in `runDir`. How to start it is its launch record in infra.json
 * (`servers[name].launch`), so a handle works in any process and start() always reuses port and data.
 */
export function nativeServer(runDir, name) {
  const record = () => {
    const found = readState(runDir)?.servers?.[name];
    if (found === undefined) throw new Error(`no ${name} is recorded in ${runDir}: the stack was stopped`);
    return found;
  };
  const pid = () => {
    const { identity } = record();
    return isAlive(identity) ? identity.pid : undefined;
  };
  const stop = async () => {
    const { identity, launch } = record();
    if (isAlive(identity)) await endWith(identity, launch.stopSignal, launch.stopMs);
    await endLeftovers(launch);
  };
  const kill = (signal = 'SIGKILL') => killServer(record(), signal);
  const start = async () => {
    if (pid() !== undefined) return;
    const { launch } = record();
    await endLeftovers(launch);
    await launchAndWait(runDir, name, launch);
  };
  return {
    pid,
    start,
    stop,
    kill,
    restart: async () => {
      await stop();
      await start();
    },
  };
}

async function launchAndWait(runDir, name, launch) {
  const identity = await spawnDetached(launch);
  updateState(runDir, (state) => {
    state.servers[name].identity = identity;
  });
  const probe = { port: launch.port, pidFile: launch.pidFile, pid: identity.pid };
  let answered = false;
  const settled = await waitUntil(async () => {
    answered = await probes[launch.probe](probe);
    return answered || !isAlive(identity);
  }, launch.readyMs);
  // Only an answer of our own process counts: another program may sit on the port while ours has already failed.
  if (answered && isAlive(identity)) return;
  const why = settled ? 'ended at once' : `was not ready within ${launch.readyMs / 1000} s`;
  if (isAlive(identity)) await endWith(identity, 'SIGKILL', KILL_MS);
  throw new Error(`${name} ${why}. Last lines of ${launch.logFile}:\n${tailOf(launch.logFile)}`);
}

/** Asks with `signal`, waits `stopMs`, then uses SIGKILL. */
async function endWith(identity, signal, stopMs) {
  signalProcess(identity.pid, signal);
  if (await waitUntil(() => !isAlive(identity), stopMs)) return;
  signalProcess(identity.pid, 'SIGKILL');
  if (!(await waitUntil(() => !isAlive(identity), KILL_MS))) throw new Error(`process ${identity.pid} does not end`);
}

async function killServer({ identity, launch }, signal) {
  if (!isAlive(identity)) return;
  signalProcess(identity.pid, signal);
  if (!ENDING_SIGNALS.has(signal)) return;
  await waitUntil(() => !isAlive(identity), launch.stopMs);
  if (signal === 'SIGKILL') await endLeftovers(launch);
}

/**
 * After SIGKILL of the postmaster its backends live on for a moment and hold the shared memory: a new server would refuse
 * to start. They are known by their working folder. Servers without such a folder have nothing to clear.
 */
async function endLeftovers(launch) {
  if (launch.ownFolder === undefined) return;
  const gone = await waitUntil(() => {
    const left = processesIn(launch.ownFolder);
    for (const pid of left) signalProcess(pid, 'SIGKILL');
    return left.length === 0;
  }, KILL_MS);
  if (gone) await clearStaleLock(launch);
  else throw new Error(`processes in ${launch.ownFolder} do not end: ${processesIn(launch.ownFolder).join(', ')}`);
}
