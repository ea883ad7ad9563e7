import type { PartitionEvent } from '@daya/messaging';
import type { EntityManager } from 'typeorm';
import type { InputChange } from '../kafka/input-events';

/** Writes a change; the same event again changes nothing. */
export async function insertChange(em: EntityManager, change: InputChange): Promise<void> {
  switch (change.kind) {
    case 'node': {
      const { node } = change;
      const values = [node.nodeId, node.version.toString(), new Date(node.changeTimeMs), node.providerId, node.rewardAddress, node.region];
      await em.query(
        `INSERT INTO node_version (node_id, version, change_time, provider_id, reward_address, region, emulated, online, ineligible_reason, gpus)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING`,
        [...values, node.emulated, node.online, node.ineligibleReason, JSON.stringify(node.gpus)],
      );
      return;
    }
    case 'revocation':
      await em.query(`INSERT INTO node_revocation (node_id, revoke_time) VALUES ($1, $2) ON CONFLICT DO NOTHING`, [change.nodeId, new Date(change.timeMs)]);
      return;
    case 'offer': {
      const { offer } = change;
      await em.query(
        `INSERT INTO offer_version (offer_id, version, change_time, node_id, gpu_class, open) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING`,
        [offer.offerId, offer.version.toString(), new Date(offer.changeTimeMs), offer.nodeId, offer.gpuClass, offer.open],
      );
      return;
    }
    case 'charge': {
      const { charge } = change;
      const amounts = [charge.feeMicros, charge.billableMs, charge.gpuMilli].map(String);
      await em.query(
        `INSERT INTO charge (charge_id, post_time, asset, job_id, provider_id, node_id, gpu_class, money_asset, fee_micros, billable_ms, gpu_milli)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING`,
        [charge.charge, new Date(charge.postTimeMs), charge.asset, charge.job, charge.account, charge.nodeId, charge.gpuClass, charge.moneyAsset, ...amounts],
      );
      return;
    }
  }
}

/** Sets an unreadable event aside for a person; the partition moves on. */
export async function insertRefusedEvent(em: EntityManager, event: PartitionEvent, reason: string): Promise<void> {
  await em.query(`INSERT INTO refused_event (event_id, topic, type, payload, reason) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`, [
    event.id,
    event.topic,
    event.type,
    Buffer.from(event.payload),
    reason,
  ]);
}

/** How far each input partition has been taken in: the offset that comes next, by `<topic>/<partition>`. */
export async function readPositions(em: EntityManager, consumer: string): Promise<ReadonlyMap<string, bigint>> {
  const rows: { topic: string; partition: number; next_offset: string }[] = await em.query(
    `SELECT topic, partition, next_offset FROM consumer_offset WHERE consumer = $1`,
    [consumer],
  );
  return new Map(rows.map((row) => [`${row.topic}/${row.partition}`, BigInt(row.next_offset)]));
}
