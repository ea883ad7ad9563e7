import type { Clock } from '@daya/kernel';
import type { Kafka } from '@daya/messaging';
import type { ScopedTransactions } from '@daya/postgres';
import { InputPositions } from '../../application/ports';
import { readPositions } from '../postgres/input-tables';
import { INPUTS_CONSUMER, INPUT_TOPICS } from './inputs.consumer';

interface Ends {
  readonly takenAt: Date;
  /** The offset that comes next, by `<topic>/<partition>`; partitions without messages are left out. */
  readonly offsets: ReadonlyMap<string, bigint>;
}

/**
 * Compares where the inputs ended at some moment after the due time with what has been taken in since. The ends are asked
 * for once per due time: waiting for a moving end would never finish.
 */
export class KafkaInputPositions extends InputPositions {
  private ends: Ends | undefined;

  constructor(
    private readonly kafka: Kafka,
    private readonly transactions: ScopedTransactions,
    private readonly clock: Clock,
  ) {
    super();
  }

  override async passed(dueTime: Date): Promise<boolean> {
    if (this.ends === undefined || this.ends.takenAt < dueTime) this.ends = await this.askEnds();
    const read = await this.transactions.run('system', (em) => readPositions(em, INPUTS_CONSUMER));
    return [...this.ends.offsets].every(([partition, end]) => (read.get(partition) ?? 0n) >= end);
  }

  private async askEnds(): Promise<Ends> {
    const takenAt = this.clock.now();
    const offsets = new Map<string, bigint>();
    for (const topic of INPUT_TOPICS) {
      for (const { partition, low, high } of await this.kafka.admin().ranges(topic))
        if (high > low) offsets.set(`${topic}/${partition}`, high);
    }
    return { takenAt, offsets };
  }
}
