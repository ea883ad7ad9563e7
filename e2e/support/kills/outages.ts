import { setTimeout as sleep } from 'node:timers/promises';
import type { Infra } from '../platform';
import { SERVICES, type LoadClient } from './load-client';
import { ACKNOWLEDGED_MIN, finishAfter, type Struck } from './rounds';

const LOAD_PATIENCE_MS = 60_000;
const ANSWER_PATIENCE_MS = 60_000;

/** Kafka is away for `downMs`; services go on with their databases and send later. */
export function kafkaOutage(
  infra: Infra,
  load: LoadClient,
  options: { round: number; downMs: number },
): Promise<Struck> {
  return outage('kafka', load, options.round, async () => {
    await infra.servers.kafka.stop();
    await sleep(options.downMs);
    await infra.servers.kafka.start();
  });
}

/** Every connection breaks at once, in the middle of whatever it did. */
export function postgresRestart(infra: Infra, load: LoadClient, options: { round: number }): Promise<Struck> {
  return outage('postgres', load, options.round, async () => {
    await infra.servers.postgres.kill();
    await infra.servers.postgres.start();
  });
}

async function outage(victim: string, load: LoadClient, round: number, work: () => Promise<void>): Promise<Struck> {
  load.round = round;
  load.focus = 'scheduler';
  const deadline = Date.now() + LOAD_PATIENCE_MS;
  while (load.caller.acknowledgedInLastSecond() < ACKNOWLEDGED_MIN) {
    if (Date.now() > deadline) throw new Error('the load never reached enough acknowledged calls a second');
    await sleep(5);
  }
  const acknowledged = load.caller.acknowledgedInLastSecond();
  const underWay = load.caller.underWay('gateway').length;
  const beganMs = Date.now();
  await work();
  for (const service of SERVICES) await load.untilAnswers(service, ANSWER_PATIENCE_MS);
  const healedMs = Date.now();
  return {
    round,
    seed: 0,
    victim,
    inFlight: underWay,
    acknowledged,
    healMs: healedMs - beganMs,
    finished: finishAfter(load, healedMs),
  };
}
