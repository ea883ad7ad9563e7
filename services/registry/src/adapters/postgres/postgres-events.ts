import type { IdGenerator } from '@daya/kernel';
import { appendEvent } from '@daya/messaging';
import type { EntityManager } from 'typeorm';
import type { RegistryEvent } from '../../domain/events';
import { toOutbox } from '../proto/events';

/** The outbox; the database counts the versions of each key. */
export class PostgresEvents {
  constructor(
    private readonly em: EntityManager,
    private readonly ids: IdGenerator,
  ) {}

  append(event: RegistryEvent): Promise<void> {
    return appendEvent(this.em, { eventId: this.ids.next(), ...toOutbox(event) });
  }
}
