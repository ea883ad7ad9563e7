import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { reserveFreePorts } from './free-port.mjs';
import { startArchiveMaker, stopArchiveMaker } from './kafka-archive.mjs';
import { prepareKafka } from './kafka.mjs';
import { nativeServer } from './native-server.mjs';
import { preparePostgres } from './postgres.mjs';
import { prepareRedis } from './redis.mjs';
import { readState, removeState, updateState, writeState } from './state.mjs';

export const SERVER_NAMES = ['postgres', 'redis', 'kafka'];
const HOST = '127.0.0.1';

/** Starts the three servers side by side and records them. Returns the seconds of each as `timingsMs`. */
export async function startNative({ runDir, durable, log, why }) {
  const ports = await reserveFreePorts([...SERVER_NAMES, 'kafkaController']);
  const password = randomBytes(24).toString('base64url');
  writeState(runDir, { ...addresses(ports, password), mode: 'native', why, durable, servers: {} });
  const common = (name) => ({ runDir, port: ports[name], durable, logFile: join(runDir, 'logs', `${name}.log`) });
  const prepare = {
    postgres: () => preparePostgres({ ...common('postgres'), password }),
    redis: () => prepareRedis(common('redis')),
    kafka: () => prepareKafka({ ...common('kafka'), controllerPort: ports.kafkaController }),
  };
  const timingsMs = {};
  const started = SERVER_NAMES.map((name) => startOne({ runDir, name, prepare: prepare[name], timingsMs, log }));
  const outcomes = await Promise.allSettled(started);
  const failed = outcomes.find((outcome) => outcome.status === 'rejected');
  if (failed !== undefined) {
    await stopNative(runDir);
    throw failed.reason;
  }
  const background = await startArchiveMaker(join(runDir, 'logs', 'kafka-archive.log'));
  if (background !== undefined)
    updateState(runDir, (state) => {
      state.background = background;
    });
  return timingsMs;
}

export function addresses(ports, password) {
  return {
    postgres: { host: HOST, port: ports.postgres, user: 'postgres', password },
    redis: { host: HOST, port: ports.redis, url: `redis://${HOST}:${ports.redis}` },
    kafka: { brokers: [`${HOST}:${ports.kafka}`] },
  };
}

async function startOne({ runDir, name, prepare, timingsMs, log }) {
  const begin = performance.now();
  const record = await prepare();
  updateState(runDir, (state) => {
    state.servers[name] = record;
  });
  await nativeServer(runDir, name).start();
  timingsMs[name] = Math.round(performance.now() - begin);
  log(`${name} is up on port ${record.launch.port} after ${(timingsMs[name] / 1000).toFixed(1)} s`);
}

/** Ends every process of the stack and removes its data; the logs stay. All servers are tried even if one resists. */
export async function stopNative(runDir) {
  const state = readState(runDir);
  if (state === undefined) return;
  const recorded = SERVER_NAMES.filter((name) => state.servers[name] !== undefined);
  const outcomes = await Promise.allSettled([
    ...recorded.map((name) => nativeServer(runDir, name).stop()),
    stopArchiveMaker(state.background),
  ]);
  const failed = outcomes.find((outcome) => outcome.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
  const dataFolders = SERVER_NAMES.map((name) => join(runDir, name));
  const temporaryFolders = recorded.flatMap((name) => state.servers[name].temporaryFolders);
  for (const folder of [...dataFolders, ...temporaryFolders])
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  removeState(runDir);
}
