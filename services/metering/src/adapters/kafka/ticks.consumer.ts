import { BatchConsumer, type Kafka, type PartitionEvent } from '@daya/messaging';
import { fromTimestamp } from '@daya/proto';
import { UsageBlockReceived } from '@daya/proto/dispatch';
import type { DataSource } from 'typeorm';
import type { SignedBlock } from '../../application/ports';
import type { RecordTicks } from '../../application/record-ticks';
import { bindTransaction } from '../postgres/postgres-store';

export const TICKS_TOPIC = 'daya.usage.ticks';

/** Signed blocks, a Kafka batch in one transaction with its offset. What is no block of ours is passed over. */
export function ticksConsumer(kafka: Kafka, db: DataSource, recordTicks: RecordTicks): BatchConsumer {
  return new BatchConsumer({
    kafka,
    group: 'metering.ticks',
    topics: [TICKS_TOPIC],
    db,
    handle: (events, em) => recordTicks.execute(bindTransaction(em), events.flatMap(toBlock)),
  });
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

function toBlock(event: PartitionEvent): SignedBlock[] {
  if (event.type !== UsageBlockReceived.$type) return [];
  const { nodeId, receiveTime, signedBlock } = UsageBlockReceived.decode(event.payload);
  if (signedBlock === undefined || receiveTime === undefined || !UUID.test(nodeId)) return [];
  const { block, signature, generation } = signedBlock;
  return [{ nodeId, generation, block, signature, receiveMs: fromTimestamp(receiveTime).getTime() }];
}
