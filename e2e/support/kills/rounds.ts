import { setTimeout as sleep } from 'node:timers/promises';
import type { Platform, ServiceName } from '../platform';
import type { LoadClient } from './load-client';
import { seeded } from './random';

/** Fewer acknowledged calls in the second before the kill, and the round does not count. */
export const ACKNOWLEDGED_MIN = 20;
/** Everything that was promised before the heal is done this long after it. */
export const FINISH_MS = 60_000;
const MOMENT_MS = { least: 300, most: 1_500 };
const LOAD_PATIENCE_MS = 60_000;
const ANSWER_PATIENCE_MS = 60_000;

export interface Round {
  readonly round: number;
  readonly seed: number;
  /** Whom it hit: a service, or a server of the infrastructure. */
  readonly victim: string;
  /** Calls that the victim had not answered when it died: they failed, or another life of it answered. */
  readonly inFlight: number;
  /** Calls acknowledged in the second before. */
  readonly acknowledged: number;
  readonly healMs: number;
  /** From the heal until the last job acknowledged before it had finished. */
  readonly finishMs: number;
}

/** A blow that has healed. `finished` resolves with `finishMs`; rejects past `FINISH_MS`. */
export type Struck = Omit<Round, 'finishMs'> & { readonly finished: Promise<number> };

/** Kills the service at a moment that the seed draws, with a call in it, and starts it again. Resolves when it answers. */
export async function killRound(
  platform: Platform,
  load: LoadClient,
  service: ServiceName,
  { round, seed }: { round: number; seed: number },
): Promise<Struck> {
  const random = seeded(seed);
  load.round = round;
  load.focus = service;
  await sleep(MOMENT_MS.least + random() * (MOMENT_MS.most - MOMENT_MS.least));
  const target = platform.services[service];
  await busy(load, service);
  const acknowledged = load.caller.acknowledgedInLastSecond();
  const underWay = load.caller.underWay(service);
  const killedMs = Date.now();
  await target.kill();
  await target.start();
  const readyMs = Date.now();
  await load.untilAnswers(service, ANSWER_PATIENCE_MS);
  const healedMs = Date.now();
  const answers = await Promise.all(underWay);
  const inFlight = answers.filter((answer) => !answer.ok || answer.endMs >= readyMs).length;
  return {
    round,
    seed,
    victim: service,
    inFlight,
    acknowledged,
    healMs: healedMs - killedMs,
    finished: finishAfter(load, healedMs),
  };
}

/** Milliseconds from the heal until everything acknowledged before it has finished. */
export async function finishAfter(load: LoadClient, healedMs: number): Promise<number> {
  return (await load.untilFinished(healedMs, healedMs + FINISH_MS)) - healedMs;
}

/** Resolves in the very moment when enough calls have been answered and one is under way. */
async function busy(load: LoadClient, service: ServiceName): Promise<void> {
  const deadline = Date.now() + LOAD_PATIENCE_MS;
  while (load.caller.acknowledgedInLastSecond() < ACKNOWLEDGED_MIN || load.caller.underWay(service).length === 0) {
    if (Date.now() > deadline)
      throw new Error(
        `the load never reached ${ACKNOWLEDGED_MIN} acknowledged calls a second; now ${load.caller.acknowledgedInLastSecond()}`,
      );
    await sleep(3);
  }
}

export const counts = ({ inFlight, acknowledged }: Pick<Round, 'inFlight' | 'acknowledged'>): boolean =>
  inFlight >= 1 && acknowledged >= ACKNOWLEDGED_MIN;
