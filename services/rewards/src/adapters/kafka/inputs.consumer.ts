import { BatchConsumer, type Kafka, type PartitionEvent } from '@daya/messaging';
import type { Logger } from '@daya/nest';
import type { DataSources } from '@daya/postgres';
import type { EntityManager } from 'typeorm';
import { insertChange, insertRefusedEvent } from '../postgres/input-tables';
import { toInputChange, type InputChange } from './input-events';

export const INPUT_TOPICS = ['daya.registry.nodes', 'daya.registry.offers', 'daya.billing.charges'] as const;
export const INPUTS_CONSUMER = 'rewards.inputs';

/**
 * Takes in what rewards rest on. Its offsets live beside the rows, so the service knows exactly how far it has read; every row
 * has the sender's key, so an event that comes twice changes nothing.
 */
export class InputsConsumer {
  private readonly consumer: BatchConsumer;

  constructor(
    kafka: Kafka,
    sources: DataSources,
    private readonly log: Logger,
  ) {
    this.consumer = new BatchConsumer({
      kafka,
      group: INPUTS_CONSUMER,
      topics: INPUT_TOPICS,
      db: sources.system,
      handle: (events, em) => this.handle(events, em),
    });
  }

  start(): Promise<void> {
    return this.consumer.start();
  }

  stop(): Promise<void> {
    return this.consumer.stop();
  }

  private async handle(events: readonly PartitionEvent[], em: EntityManager): Promise<void> {
    for (const event of events) {
      const change = this.read(event);
      if (change instanceof Error) await insertRefusedEvent(em, event, change.message);
      else if (change !== undefined) await insertChange(em, change);
    }
  }

  private read(event: PartitionEvent): InputChange | Error | undefined {
    try {
      return toInputChange(event);
    } catch (error) {
      this.log.error(
        { err: error, eventId: event.id, type: event.type, topic: event.topic },
        'event refused and set aside',
      );
      return error instanceof Error ? error : new Error(String(error));
    }
  }
}
