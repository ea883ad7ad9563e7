// How fast each service is ready and what it needs when idle: compiled, alone, with its real servers and without its peers.
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SERVICES } from '../../deploy/local/platform/catalogue.mjs';
import { setUp } from '../../deploy/local/platform/environment.mjs';
import { ServiceProcess } from '../../deploy/local/platform/service-process.mjs';
import { CANARY } from './canary.mjs';
import { measure, result } from './result.mjs';

const ROUNDS = 5;
const SETTLE_MS = 10_000;
const READY_SECONDS = 3;
const IDLE_MEGABYTES = 200;

export const needs = { infra: true, platform: true };

export async function run({ runDir, infra, log, onStop }) {
  writeFileSync(join(runDir, 'canary.json'), JSON.stringify(CANARY));
  const { env } = await setUp({ runDir, infra, timerScale: 1 });
  const figures = Object.fromEntries(
    SERVICES.map(({ name }) => [name, { readySeconds: [], cpuSeconds: [], idleMegabytes: [] }]),
  );
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const { name } of SERVICES) {
      const service = new ServiceProcess({ name, env: env[name], logFile: join(runDir, 'logs', `${name}.log`) });
      onStop(() => service.kill());
      const once = await startOnce(service);
      for (const [figure, value] of Object.entries(once)) figures[name][figure].push(value);
      const { readySeconds, cpuSeconds, idleMegabytes } = once;
      log(
        `  round ${round + 1}: ${name} ready in ${readySeconds.toFixed(2)} s (${cpuSeconds.toFixed(2)} s of CPU), idle ${idleMegabytes.toFixed(0)} MB`,
      );
    }
  }
  return {
    result: result({
      bench: 'boot',
      load: `one service at a time, no calls; read ${SETTLE_MS / 1_000} s after it was ready`,
      rounds: ROUNDS,
      measures: Object.entries(figures).flatMap(measuresOf),
    }),
    rounds: Object.fromEntries(
      Object.entries(figures).flatMap(([name, { readySeconds, cpuSeconds, idleMegabytes }]) => [
        [`${name}, s`, readySeconds],
        [`${name}, CPU s`, cpuSeconds],
        [`${name}, MB`, idleMegabytes],
      ]),
    ),
    method: METHOD,
    peers: PEERS,
  };
}

/** Starts a service, waits until it is ready, lets it settle, reads its memory, stops it. */
async function startOnce(service) {
  const begin = performance.now();
  await service.start();
  const readySeconds = (performance.now() - begin) / 1_000;
  const cpuSeconds = cpuSecondsOf(service.pid);
  await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
  const idleMegabytes = residentBytes(service.pid) / 1e6;
  await service.stop();
  return { readySeconds, cpuSeconds, idleMegabytes };
}

/** Resident memory of a process, as the system counts it (shared pages included). */
function residentBytes(pid) {
  const kibibytes = Number(execFileSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' }).trim());
  if (!(kibibytes > 0)) throw new Error(`process ${pid} has no memory: it is gone`);
  return kibibytes * 1_024;
}

const TICKS_PER_SECOND = 100;
const [UTIME, STIME] = [11, 12];

/** CPU time of a process so far, user and system; how long its start would take if nothing else ran. */
function cpuSecondsOf(pid) {
  // The name in parentheses may hold blanks; the fields after it do not.
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1).split(' ');
  return (Number(fields[UTIME]) + Number(fields[STIME])) / TICKS_PER_SECOND;
}

const measuresOf = ([name, { readySeconds, cpuSeconds, idleMegabytes }]) => [
  measure({
    id: `${name}.ready`,
    rounds: readySeconds,
    unit: 's',
    better: 'lower',
    goal: { on: 'value', op: '<=', number: READY_SECONDS },
  }),
  measure({ id: `${name}.ready-cpu`, rounds: cpuSeconds, unit: 's', better: 'lower' }),
  measure({
    id: `${name}.idle-rss`,
    rounds: idleMegabytes,
    unit: 'MB',
    better: 'lower',
    goal: { on: 'value', op: '<=', number: IDLE_MEGABYTES },
  }),
];

const METHOD = [
  "Ready: from the start of the process (`node dist/main.js`, as the platform starts it) until its readiness probe `/readyz` answers 200, asked every 50 ms. Its database is migrated and its topics exist, its peers (other services) are absent. CPU until ready: what the process used of it (from /proc, so on Linux only). Idle memory: the system's RSS of the process, 1 MB = 10⁶ bytes.",
];

const PEERS = {
  services: 'NODE_ENV=production, LOG_LEVEL info, TIMER_SCALE 1, --enable-source-maps, the platform’s own certificates',
  servers: 'Postgres, Redis and Kafka of this machine, started for this bench, flushing to disk',
};
