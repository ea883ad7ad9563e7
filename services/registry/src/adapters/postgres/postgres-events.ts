import type { IdGenerator } from '@daya/kernel';
import { appendEvents } from '@daya/messaging';
import type { EntityManager } from 'typeorm';
import type { RegistryEvent } from '../../domain/events';
import { toOutbox } from '../proto/events';

/** The outbox; the database counts the versions of each key. */
export class PostgresEvents {
  constructor(
    private readonly em: EntityManager,
    private readonly ids: IdGenerator,
  ) {}

  append(...events: readonly RegistryEvent[]): Promise<void> {
    return appendEvents(
      this.em,
      events.map((event) => ({ eventId: this.ids.next(), ...toOutbox(event) })),
    );
  }
}
