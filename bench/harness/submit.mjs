// How fast jobs are taken and how soon their offers are at the agents, with a whole platform and 1,000 connected agents.
import { createRequire } from 'node:module';
import { Client } from '../../deploy/local/demo/client.mjs';
import { openDemand } from '../../deploy/local/demo/market.mjs';
import { startPlatform } from '../../deploy/local/platform/launch.mjs';
import { CANARY } from './canary.mjs';
import { measure, result } from './result.mjs';

const require = createRequire(import.meta.url);

const SETTINGS = {
  agents: 1_000,
  processes: 2,
  admissionMs: 300_000,
  rounds: 5,
  arrayRounds: 3,
  inFlight: 64,
  arraysInFlight: 4,
  arrayTasks: 100,
  closedLoopMs: 10_000,
  openLoopMs: 15_000,
  warmUpMs: 20_000,
  drainMs: 180_000,
};
const CUSTOMERS = 20;
const DEPOSIT_MICROS = '100000000000';
const P50_MS = 50;
const P99_TIMES_P50 = 5;

export const needs = { infra: true, platform: true };

export async function run({ runDir, infra, log, onStop, settings: changed = {} }) {
  const settings = { ...SETTINGS, ...changed };
  const { SubmitBench } = require('../dist/submit/index.js');
  const platform = await startPlatform({
    runDir,
    infra,
    timerScale: 1,
    canary: CANARY,
    extra: {
      '*': { LOG_LEVEL: 'warn' },
      dispatch: { ENROL_BURST: '2000', ENROL_PER_MINUTE: '60000' },
      // Timers as in production, so epochs too: the demo's ten seconds would close them all the time.
      rewards: { EPOCH_SECONDS: '3600', EPOCH_GRACE_SECONDS: '600' },
    },
    log,
  });
  onStop(() => platform.stop());
  const operator = new Client(platform.http, platform.operatorKey);
  const provider = await openDemand(platform, operator, 'Bench hall', '0');
  const customers = [];
  for (let index = 0; index < CUSTOMERS; index += 1) {
    const { id, projectId } = await openDemand(platform, operator, `Bench customer ${index}`, DEPOSIT_MICROS);
    customers.push({ organisationId: id, projectId });
  }
  const bench = new SubmitBench(platform, { providerOrganisationId: provider.id, customers }, settings, log);
  onStop(() => bench.stop());
  const figures = await bench.run();
  return {
    result: result({
      bench: 'submit',
      load: `${settings.agents} connected agents in ${settings.processes} processes; ${settings.inFlight} submitters (arrays: ${settings.arraysInFlight}) in a closed loop, and open-loop arrivals at half of the rate, ${settings.rounds} rounds; then arrays, ${settings.arrayRounds} rounds; ${CUSTOMERS} customers`,
      rounds: settings.rounds,
      measures: measuresOf(figures, settings).map(measure),
    }),
    rounds: figures,
    method: METHOD,
    peers: PEERS,
  };
}

const measuresOf = (figures, { arrayTasks }) => [
  { id: 'submit-job.saturation', rounds: figures.jobsDonePerSecond, unit: 'jobs/s', better: 'higher' },
  { id: 'submit-job.acknowledged', rounds: figures.submitsPerSecond, unit: 'jobs/s', better: 'higher' },
  { id: 'submit-job.offers-at-agents', rounds: figures.jobOffersPerSecond, unit: 'offers/s', better: 'higher' },
  {
    id: `array-of-${arrayTasks}.saturation`,
    rounds: figures.arrayTasksDonePerSecond,
    unit: 'tasks/s',
    better: 'higher',
  },
  { id: `array-of-${arrayTasks}.acknowledged`, rounds: figures.arrayTasksPerSecond, unit: 'tasks/s', better: 'higher' },
  {
    id: `array-of-${arrayTasks}.offers-at-agents`,
    rounds: figures.arrayOffersPerSecond,
    unit: 'offers/s',
    better: 'higher',
  },
  { id: 'open-loop.rate', rounds: figures.openLoopPerSecond, unit: 'jobs/s', better: 'higher' },
  {
    id: 'submit-to-offer.p50',
    rounds: figures.p50Ms,
    unit: 'ms',
    better: 'lower',
    goal: { on: 'value', op: '<=', number: P50_MS },
  },
  {
    id: 'submit-to-offer.p99',
    rounds: figures.p99Ms,
    unit: 'ms',
    better: 'lower',
    peer: { name: 'p50 of the same rounds', rounds: figures.p50Ms },
    goal: { on: 'ratio', op: '<=', number: P99_TIMES_P50 },
  },
];

const METHOD = [
  'The whole platform runs on this machine together with the agents and the client. Each agent is simulated but speaks the real protocol: it enrols with a one-time token over the enrolment listener, holds its own mutual-TLS stream with its own certificate, passes its canary, checks the signature of every offer, accepts, reports Running and Exited when the report before is acknowledged, and sends a signed usage tick. No image is fetched and no container runs.',
  'Closed loop of SubmitJob with a spec (quote, hold and queue in one call) straight at the scheduler, as the gateway forwards it. `acknowledged`: what was taken while the submitters were busy, per second; `offers-at-agents`: tasks whose signed offer was at its agent within the same time. The platform takes jobs faster than it meters and charges them, and catches up afterwards, so `saturation` is what it can carry on: all tasks of the loop, divided by the time from the first submission until the last of them had run and no event of any waited for the outbox or a consumer. Every measurement begins without a backlog: what was submitted before has run, and no event of it waits for the outbox or a consumer.',
  'Latency: open loop with exponential gaps at half of the jobs’ saturation of the same round, from the moment the submission was due (a late client counts against us) to the moment the agent has the offer. Wall clock of one machine.',
];

const PEERS = {
  services:
    'one process each, NODE_ENV=production, LOG_LEVEL warn, TIMER_SCALE 1 (heartbeat 10 s), epochs of an hour, 8 dispatch queues; dispatch with ENROL_BURST 2000 and ENROL_PER_MINUTE 60000, so that 1,000 agents can enrol at once',
  servers: 'Postgres, Redis and Kafka of this machine, started for this bench, flushing to disk',
};
