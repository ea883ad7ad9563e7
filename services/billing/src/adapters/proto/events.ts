import type { OutboxEvent } from '@daya/messaging';
import { toTimestamp } from '@daya/proto';
import { ChargePosted, HoldPlaced, HoldReleased, InvoiceIssued } from '@daya/proto/billing';
import type { BillingEvent } from '../../domain/events';
import { chargeIdOf, deriveId, reversalIdOf } from '../derive-id';
import { toProtoHold, toProtoInvoice } from './messages';

export const CHARGES_TOPIC = 'daya.billing.charges';

type ChargeEvent = Extract<BillingEvent, { type: 'charge-posted' | 'charge-taken-back' }>;

/** The event id follows from what the event tells, so the outbox cannot hold one fact twice. */
export function toOutboxEvent(event: BillingEvent): OutboxEvent {
  switch (event.type) {
    case 'hold-placed':
      return outboxEvent(
        event.hold.jobId,
        event.hold.jobId,
        HoldPlaced.$type,
        HoldPlaced.encode({ hold: toProtoHold(event.hold) }).finish(),
      );
    case 'hold-released': {
      const { hold, releasedMicros } = event;
      return outboxEvent(
        hold.jobId,
        hold.jobId,
        HoldReleased.$type,
        HoldReleased.encode({ hold: toProtoHold(hold), releasedMicros }).finish(),
      );
    }
    case 'charge-posted':
    case 'charge-taken-back': {
      const message = toChargePosted(event);
      return outboxEvent(
        event.lease.jobId,
        message.chargeId,
        ChargePosted.$type,
        ChargePosted.encode(message).finish(),
      );
    }
    case 'invoice-issued': {
      const invoice = toProtoInvoice(event.invoice);
      return outboxEvent(invoice.jobId, invoice.jobId, InvoiceIssued.$type, InvoiceIssued.encode({ invoice }).finish());
    }
  }
}

function outboxEvent(jobId: string, fact: string, type: string, payload: Uint8Array): OutboxEvent {
  return { eventId: deriveId('event', type, fact), topic: CHARGES_TOPIC, key: jobId, type, payload };
}

function toChargePosted({ type, charge, lease, postTime }: ChargeEvent): ChargePosted {
  const takenBack = type === 'charge-taken-back';
  const sign = takenBack ? -1n : 1n;
  return {
    chargeId: takenBack ? reversalIdOf(charge.usageId) : chargeIdOf(charge.usageId),
    usageId: charge.usageId,
    jobId: lease.jobId,
    leaseId: lease.leaseId,
    organisationId: lease.payerId,
    providerId: lease.providerId,
    providerOrganisationId: lease.payeeId,
    nodeId: lease.nodeId,
    gpuModelId: lease.gpuModelId,
    emulated: lease.emulated,
    asset: lease.asset,
    chargeMicros: sign * charge.charge,
    feeMicros: sign * charge.fee,
    providerMicros: sign * charge.provider,
    billableMs: sign * charge.billableMs,
    gpuMilli: lease.gpuMilli,
    postTime: toTimestamp(postTime),
    priceMicrosPerGpuHour: lease.priceMicrosPerGpuHour,
  };
}
