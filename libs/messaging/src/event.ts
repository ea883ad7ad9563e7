import type { EntityManager } from 'typeorm';

/** One event as a consumer sees it. */
export interface EventEnvelope {
  readonly id: string;
  /** Full proto name, e.g. `daya.scheduler.v1.JobSubmitted`. */
  readonly type: string;
  /** Without the prefix of this run. */
  readonly topic: string;
  /** The aggregate's id. */
  readonly key: string;
  readonly payload: Uint8Array;
  /** 1, 2, 3 … per topic and key; undefined when the producer keeps no versions (usage ticks). */
  readonly aggregateVersion: bigint | undefined;
  /** When the producer's transaction began. */
  readonly time: Date;
  /** The sending service. */
  readonly source: string;
  readonly traceparent: string | undefined;
}

/** One event of a partition, for batch consumers. */
export interface PartitionEvent extends EventEnvelope {
  readonly offset: bigint;
}

/**
 * Applies one event in the given transaction; the mark that it was handled commits with its writes. No network calls.
 * Throws a DomainError for a refusal that cannot change (parked at once), anything else is tried again and then parked.
 */
export type EventHandler = (event: EventEnvelope, em: EntityManager) => Promise<void>;

/** A ts-proto codec, as far as a consumer needs it. */
export interface EventCodec<T> {
  readonly $type: string;
  decode(bytes: Uint8Array): T;
}

/** A typed entry of `handlers`: `Object.fromEntries([on(JobSubmitted, async (job, event, em) => { … })])`. */
export function on<T>(
  codec: EventCodec<T>,
  handle: (message: T, event: EventEnvelope, em: EntityManager) => Promise<void>,
): [string, EventHandler] {
  return [codec.$type, (event, em) => handle(codec.decode(event.payload), event, em)];
}
