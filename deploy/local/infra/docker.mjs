import { createHash, randomBytes } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { resolve } from 'node:path';
import { reserveFreePorts } from './free-port.mjs';
import { addresses, SERVER_NAMES } from './native.mjs';
import { COMPOSE_FILE } from './paths.mjs';
import { mustRun, runProgram, waitUntil } from './process.mjs';
import { probes } from './probes.mjs';
import { readState, removeState, writeState } from './state.mjs';

const ENGINE_MS = 10_000;
const UP_MS = 180_000;
const READY_MS = 90_000;

/** Whether Docker can run the stack without downloading anything. `{ usable, why }` */
export async function inspectDocker() {
  const engine = await runProgram('docker', ['info', '--format', '{{.ServerVersion}}'], { timeoutMs: ENGINE_MS });
  if (engine.code === 127) return { usable: false, why: 'there is no docker command' };
  if (engine.code !== 0) return { usable: false, why: 'no Docker engine answers' };
  const compose = await runProgram('docker', ['compose', 'version', '--short'], { timeoutMs: ENGINE_MS });
  if (compose.code !== 0) return { usable: false, why: 'docker compose is not installed' };
  const images = await runProgram('docker', ['compose', '-f', COMPOSE_FILE, 'config', '--images'], {
    timeoutMs: ENGINE_MS,
    env: composeEnv(PLACEHOLDERS),
  });
  if (images.code !== 0)
    return { usable: false, why: `docker compose cannot read docker-compose.yml: ${images.stderr.trim()}` };
  for (const image of images.stdout.split('\n').filter((line) => line !== '')) {
    const found = await runProgram('docker', ['image', 'inspect', image], { timeoutMs: ENGINE_MS });
    if (found.code !== 0)
      return { usable: false, why: `image ${image} is not here (DAYA_POSTGRES_PASSWORD=x docker compose pull)` };
  }
  return { usable: true, why: `Docker engine ${engine.stdout.trim()} answers and all images are here` };
}

/** Starts the three containers and waits until they serve; on free ports unless `ports` names them. */
export async function startDocker({ runDir, durable, log, why, ports: given }) {
  const ports = given ?? (await reserveFreePorts(SERVER_NAMES));
  const password = randomBytes(24).toString('base64url');
  const project = `daya-${createHash('sha256').update(resolve(runDir)).digest('hex').slice(0, 10)}`;
  const variables = { ports, password, durable };
  writeState(runDir, {
    ...addresses(ports, password),
    mode: 'docker',
    why,
    durable,
    servers: {},
    docker: { project, variables },
  });
  const begin = performance.now();
  try {
    await compose(runDir, ['up', '-d', '--wait', '--pull', 'never'], UP_MS);
    await Promise.all(SERVER_NAMES.map((name) => waitReady(runDir, name)));
  } catch (error) {
    const logs = await compose(runDir, ['logs', '--no-color', '--tail', '25'], ENGINE_MS).catch(() => ({ stdout: '' }));
    await stopDocker(runDir);
    throw new Error(`${error.message}\n${logs.stdout}`);
  }
  const spent = Math.round(performance.now() - begin);
  log(`the containers of ${project} are up after ${(spent / 1000).toFixed(1)} s`);
  return Object.fromEntries(SERVER_NAMES.map((name) => [name, spent]));
}

/** Same handle as nativeServer, on a container. */
export function dockerServer(runDir, name) {
  const start = async () => {
    await compose(runDir, ['up', '-d', '--wait', '--no-recreate', '--pull', 'never', name], UP_MS);
    await waitReady(runDir, name);
  };
  const stop = () => compose(runDir, ['stop', '--timeout', '20', name], UP_MS).then(() => undefined);
  const kill = (signal = 'SIGKILL') =>
    compose(runDir, ['kill', '--signal', signal, name], ENGINE_MS).then(() => undefined);
  return {
    pid: () => containerPid(runDir, name),
    start,
    stop,
    kill,
    restart: async () => {
      await stop();
      await start();
    },
  };
}

export async function stopDocker(runDir) {
  if (readState(runDir) === undefined) return;
  await compose(runDir, ['down', '--volumes', '--remove-orphans', '--timeout', '20'], UP_MS);
  removeState(runDir);
}

function compose(runDir, args, timeoutMs) {
  const { docker } = readState(runDir);
  const base = ['compose', '-p', docker.project, '-f', COMPOSE_FILE];
  return mustRun('docker compose', 'docker', [...base, ...args], { timeoutMs, env: composeEnv(docker.variables) });
}

async function waitReady(runDir, name) {
  const port = readState(runDir).docker.variables.ports[name];
  if (await waitUntil(() => probes[name]({ port }), READY_MS, 100)) return;
  throw new Error(`${name} was not ready within ${READY_MS / 1000} s on port ${port}`);
}

function containerPid(runDir, name) {
  const { docker } = readState(runDir);
  const options = {
    encoding: 'utf8',
    env: composeEnv(docker.variables),
    timeout: ENGINE_MS,
    stdio: ['ignore', 'pipe', 'ignore'],
  };
  const id = execFileSync(
    'docker',
    ['compose', '-p', docker.project, '-f', COMPOSE_FILE, 'ps', '-q', name],
    options,
  ).trim();
  if (id === '') return undefined;
  const pid = Number(execFileSync('docker', ['inspect', '-f', '{{.State.Pid}}', id], options));
  return pid > 0 ? pid : undefined;
}

const PLACEHOLDERS = { ports: { postgres: 1, redis: 2, kafka: 3 }, password: 'unused', durable: true };

/** The variables that docker-compose.yml reads. */
export function composeEnv({ ports, password, durable }) {
  return {
    ...process.env,
    DAYA_POSTGRES_PORT: String(ports.postgres),
    DAYA_REDIS_PORT: String(ports.redis),
    DAYA_KAFKA_PORT: String(ports.kafka),
    DAYA_POSTGRES_PASSWORD: password,
    DAYA_POSTGRES_SAFETY: durable ? 'on' : 'off',
    DAYA_REDIS_FSYNC: durable ? 'everysec' : 'no',
  };
}
