import { setTimeout as sleep } from 'node:timers/promises';
import type { INestMicroservice } from '@nestjs/common';
import type { AdminHttp } from './admin-http';
import type { BaseConfig } from './config';
import type { GrpcStrategy } from './grpc/grpc-strategy';
import type { Readiness } from './readiness';
import type { Startable } from './run-service';
import type { Logger } from './telemetry/logger';
import { flushTraces } from './telemetry/tracing';

/** After the drain everything else gets this long in all; then the process ends with code 1. */
const CLOSE_MS = 10_000;

export interface StopParts {
  readonly name: string;
  readonly config: BaseConfig;
  readonly log: Logger;
  readonly app: INestMicroservice;
  readonly strategy: GrpcStrategy;
  readonly readiness: Readiness;
  readonly admin: AdminHttp;
  readonly started: readonly Startable[];
  readonly onStop: ((app: INestMicroservice) => Promise<void>) | undefined;
}

/** NOT_SERVING → wait → stop background work → drain calls → close. A step that fails is logged; the next ones run. */
export async function stopService(parts: StopParts): Promise<void> {
  const { config, log, app } = parts;
  const step = async (what: string, work: () => Promise<unknown>): Promise<void> => {
    await work().catch((error: unknown) => log.error({ err: error }, `${what} failed`));
  };
  log.info(`${parts.name} stops`);
  parts.readiness.stop();
  await sleep(config.STOP_DELAY_MS);
  for (const startable of [...parts.started].reverse()) {
    await step('stopping background work', () => within(config.DRAIN_MS, startable.stop()));
  }
  await step('draining', () => parts.strategy.drain(config.DRAIN_MS));
  await step('onStop', async () => parts.onStop?.(app));
  await step('closing', () => within(CLOSE_MS, app.close()));
  await step('closing admin', () => parts.admin.close());
  await flushTraces();
  log.info(`${parts.name} has stopped`);
}

async function within(limitMs: number, work: Promise<unknown>): Promise<void> {
  const timer = new AbortController();
  const tooLong = sleep(limitMs, undefined, { signal: timer.signal }).then(() => {
    throw new Error(`not done after ${limitMs} ms`);
  });
  tooLong.catch(() => undefined);
  try {
    await Promise.race([work, tooLong]);
  } finally {
    timer.abort();
  }
}

/** SIGTERM and SIGINT end the process gracefully, a second one at once; a bug that nobody caught ends it with code 1. */
export function onStopSignals(log: Logger, stop: () => Promise<void>): void {
  let stopping = false;
  const onSignal = (signal: NodeJS.Signals): void => {
    if (stopping) process.exit(1);
    stopping = true;
    log.info({ signal }, 'signal received');
    stop().then(
      () => process.exit(0),
      () => process.exit(1),
    );
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
  const onCrash = (error: unknown): void => {
    log.fatal({ err: error }, 'uncaught');
    process.exit(1);
  };
  process.on('uncaughtException', onCrash);
  process.on('unhandledRejection', onCrash);
}
