import { createHash } from 'node:crypto';
import { DiscrepancyOpened, UsageRecorded } from '@daya/proto/metering';
import type { OutboxEvent } from '@daya/messaging';
import type { RecordedWindow } from '../../application/ports';
import type { UsageRecord } from '../../domain/usage-record';
import type { DiscrepancyRow } from '../postgres/rows';
import { toDiscrepancy } from '../postgres/rows';
import { toProtoDiscrepancy, toProtoUsage } from './messages';

export const USAGE_TOPIC = 'daya.metering.usage';

/** The usage id is the event's id: the same version of a window is one event, however often it is computed. */
export function usageEvent(record: UsageRecord): OutboxEvent {
  const { lease, window } = record;
  const row: RecordedWindow = { ...record, ...lease };
  const payload = UsageRecorded.encode(
    UsageRecorded.fromPartial({ usage: toProtoUsage({ ...row, window }), leaseToken: lease.leaseToken }),
  ).finish();
  return { eventId: record.usageId, topic: USAGE_TOPIC, key: lease.leaseId, type: UsageRecorded.$type, payload };
}

export function discrepancyEvent(row: DiscrepancyRow): OutboxEvent {
  const payload = DiscrepancyOpened.encode({ discrepancy: toProtoDiscrepancy(toDiscrepancy(row)) }).finish();
  return { eventId: eventIdOf(payload), topic: USAGE_TOPIC, key: row.lease_id, type: DiscrepancyOpened.$type, payload };
}

/** The same news has the same id. */
function eventIdOf(payload: Uint8Array): string {
  const hex = createHash('sha256').update(payload).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
