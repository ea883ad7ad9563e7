import type { PartitionEvent } from '@daya/messaging';
import { write } from '@daya/postgres';
import type { EntityManager } from 'typeorm';
import type { NodeVersion } from '../../domain/device-facts';
import type { IncomingCharge, InputChange, OfferVersion } from '../kafka/input-events';

/** Writes a change; the same event again changes nothing. */
export async function insertChange(em: EntityManager, change: InputChange): Promise<void> {
  switch (change.kind) {
    case 'node':
      return insertNode(em, change.node);
    case 'revocation':
      return insert(em, 'node_revocation', { node_id: change.nodeId, revoke_time: new Date(change.timeMs) });
    case 'offer':
      return insertOffer(em, change.offer);
    case 'charge':
      return insertCharge(em, change.charge);
  }
}

const insertNode = (em: EntityManager, node: NodeVersion): Promise<void> =>
  insert(em, 'node_version', {
    node_id: node.nodeId,
    version: node.version.toString(),
    change_time: new Date(node.changeTimeMs),
    provider_id: node.providerId,
    reward_address: node.rewardAddress,
    region: node.region,
    emulated: node.emulated,
    online: node.online,
    ineligible_reason: node.ineligibleReason,
    gpus: JSON.stringify(node.gpus),
  });

const insertOffer = (em: EntityManager, offer: OfferVersion): Promise<void> =>
  insert(em, 'offer_version', {
    offer_id: offer.offerId,
    version: offer.version.toString(),
    change_time: new Date(offer.changeTimeMs),
    node_id: offer.nodeId,
    gpu_class: offer.gpuClass,
    open: offer.open,
  });

const insertCharge = (em: EntityManager, charge: IncomingCharge): Promise<void> =>
  insert(em, 'charge', {
    charge_id: charge.charge,
    post_time: new Date(charge.postTimeMs),
    asset: charge.asset,
    job_id: charge.job,
    provider_id: charge.account,
    node_id: charge.nodeId,
    gpu_class: charge.gpuClass,
    money_asset: charge.moneyAsset,
    fee_micros: charge.feeMicros.toString(),
    billable_ms: charge.billableMs.toString(),
    gpu_milli: charge.gpuMilli.toString(),
  });

/** Column names come from this file only. */
async function insert(em: EntityManager, table: string, row: Readonly<Record<string, unknown>>): Promise<void> {
  const names = Object.keys(row);
  const places = names.map((_name, index) => `$${index + 1}`);
  await write(
    em,
    `INSERT INTO ${table} (${names.join(', ')}) VALUES (${places.join(', ')}) ON CONFLICT DO NOTHING`,
    Object.values(row),
  );
}

/** Sets an unreadable event aside for a person; the partition moves on. */
export const insertRefusedEvent = (em: EntityManager, event: PartitionEvent, reason: string): Promise<void> =>
  insert(em, 'refused_event', {
    event_id: event.id,
    topic: event.topic,
    type: event.type,
    payload: Buffer.from(event.payload),
    reason,
  });

/** How far each input partition has been taken in: the offset that comes next, by `<topic>/<partition>`. */
export async function readPositions(em: EntityManager, consumer: string): Promise<ReadonlyMap<string, bigint>> {
  const rows: { topic: string; partition: number; next_offset: string }[] = await em.query(
    `SELECT topic, partition, next_offset FROM consumer_offset WHERE consumer = $1`,
    [consumer],
  );
  return new Map(rows.map((row) => [`${row.topic}/${row.partition}`, BigInt(row.next_offset)]));
}
