import { setTimeout as sleep } from 'node:timers/promises';
import { ensureTopics, type Kafka } from '@daya/messaging';
import type { Logger, Startable } from '@daya/nest';
import { TOPICS } from '../proto/events';

const RETRY_MS = 2_000;

/** Makes the topics that this service writes. The service does not wait: without Kafka, events stay in the outbox. */
export class OwnTopics implements Startable {
  private readonly stopping = new AbortController();
  private work: Promise<void> = Promise.resolve();

  constructor(
    private readonly kafka: Kafka,
    private readonly log: Logger,
  ) {}

  start(): Promise<void> {
    this.work = this.run();
    return Promise.resolve();
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    await this.work;
  }

  private async run(): Promise<void> {
    const { signal } = this.stopping;
    const topics = Object.values(TOPICS).map((name) => ({ name }));
    while (!signal.aborted) {
      try {
        return await ensureTopics(this.kafka, topics);
      } catch (err) {
        this.log.warn({ err }, 'the topics could not be made; trying again');
        await sleep(RETRY_MS, undefined, { signal }).catch(() => undefined);
      }
    }
  }
}
