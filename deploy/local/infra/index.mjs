import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { dockerServer, inspectDocker, startDocker, stopDocker } from './docker.mjs';
import { SERVER_NAMES, startNative, stopNative } from './native.mjs';
import { nativeServer } from './native-server.mjs';
import { readState } from './state.mjs';
import { ensureTools, MissingToolsError } from './tools.mjs';

export { reserveFreePort, reserveFreePorts } from './free-port.mjs';
export { ensureTools, MissingToolsError };

/**
 * Starts Postgres, Redis and Kafka on free ports of 127.0.0.1 with their data under `runDir`, and returns when all serve.
 *
 * @param runDir folder of this stack; `infra.json` (addresses, password, processes; mode 0600) and `logs/` are written there
 * @param durable true: data survives a power failure; false: only the death of processes (faster)
 * @param log takes one line of text
 * @param mode 'docker' | 'native'; without it DAYA_INFRA, without that Docker when everything for it is here
 * @returns the stack: see attachInfra, and `timingsMs` per server and in total
 */
export async function startInfra({ runDir: folder, durable, log, mode: wish }) {
  const begin = performance.now();
  const runDir = resolve(folder);
  mkdirSync(join(runDir, 'logs'), { recursive: true });
  refuseSecondStack(runDir);
  const { mode, why } = await chooseMode(wish ?? process.env.DAYA_INFRA);
  log(`infrastructure: ${mode} (${why})`);
  if (mode === 'native') await ensureTools(['postgres', 'redis', 'kafka'], { log });
  const start = mode === 'docker' ? startDocker : startNative;
  const stopHalf = mode === 'docker' ? stopDocker : stopNative;
  // The servers do not belong to the terminal: without this, Ctrl-C while they start would leave them behind.
  const ignoreSignals = stopOnSignals({ stop: () => stopHalf(runDir) }, { log });
  try {
    const timingsMs = await start({ runDir, durable, log, why });
    return stackIn(runDir, { ...timingsMs, total: Math.round(performance.now() - begin) });
  } finally {
    ignoreSignals();
  }
}

/** The stack that another process started in `runDir`: the same object as startInfra's. Throws when there is none. */
export async function attachInfra({ runDir: folder }) {
  return stackIn(resolve(folder), {});
}

function stackIn(runDir, timingsMs) {
  const state = readState(runDir);
  if (state === undefined) throw new Error(`no infrastructure is recorded in ${runDir}`);
  const { mode, why, postgres, redis, kafka } = state;
  const handle = mode === 'docker' ? dockerServer : nativeServer;
  const servers = Object.fromEntries(SERVER_NAMES.map((name) => [name, handle(runDir, name)]));
  let stopping;
  const stop = () => (stopping ??= mode === 'docker' ? stopDocker(runDir) : stopNative(runDir));
  return { mode, why, postgres, redis, kafka, timingsMs, servers, stop };
}

/** A stale record (its processes are gone, for example after a reboot) is no obstacle; a live stack is. */
function refuseSecondStack(runDir) {
  const state = readState(runDir);
  if (state === undefined) return;
  const { servers } = stackIn(runDir, {});
  const alive = SERVER_NAMES.filter(
    (name) => (state.mode === 'docker' || state.servers[name] !== undefined) && servers[name].pid() !== undefined,
  );
  if (alive.length > 0)
    throw new Error(`${alive.join(', ')} already run from ${runDir}: stop that stack first (npm run down)`);
}

async function chooseMode(wish) {
  if (wish !== undefined && wish !== '' && wish !== 'docker' && wish !== 'native')
    throw new Error(`DAYA_INFRA must be docker or native, not "${wish}"`);
  if (wish === 'native') return { mode: 'native', why: 'asked for' };
  const docker = await inspectDocker();
  if (wish === 'docker' && !docker.usable) throw new Error(`DAYA_INFRA=docker, but ${docker.why}`);
  return { mode: docker.usable ? 'docker' : 'native', why: docker.why };
}

/**
 * Stops the stack when this process gets SIGINT, SIGTERM or SIGHUP, then exits with 128 + the signal's number.
 * Returns a function that takes the handlers away again (for `--keep`, and after a regular stop).
 */
export function stopOnSignals(infra, { log = () => {} } = {}) {
  const numbers = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 };
  let busy = false;
  const onSignal = (signal) => {
    if (busy) return;
    busy = true;
    log(`${signal}: stopping the infrastructure`);
    infra
      .stop()
      .catch((error) => log(error.message))
      .finally(() => process.exit(128 + numbers[signal]));
  };
  for (const signal of Object.keys(numbers)) process.on(signal, onSignal);
  return () => {
    for (const signal of Object.keys(numbers)) process.off(signal, onSignal);
  };
}
