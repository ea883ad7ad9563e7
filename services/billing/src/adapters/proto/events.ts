import type { OutboxEvent } from '@daya/messaging';
import { toTimestamp } from '@daya/proto';
import { ChargePosted, HoldPlaced, HoldReleased, InvoiceIssued, NoteIssued } from '@daya/proto/billing';
import type { LeaseTerms } from '../../domain/charge';
import type { BillingEvent } from '../../domain/events';
import { signedSplit } from '../../domain/note';
import type { IssuedNote } from '../../domain/statement';
import { chargeIdOf, deriveId, invoiceIdOf, noteIdOf, reversalIdOf } from '../derive-id';
import { toProtoHold, toProtoInvoice, toProtoNote } from './messages';

export const CHARGES_TOPIC = 'daya.billing.charges';

type NoteEvent = Extract<BillingEvent, { type: 'note-posted' | 'note-issued' }>;
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
    case 'note-posted': {
      const message = noteAsCharge(event);
      return outboxEvent(
        event.lease.jobId,
        message.chargeId,
        ChargePosted.$type,
        ChargePosted.encode(message).finish(),
      );
    }
    case 'note-issued': {
      const note = toProtoNote(issuedNote(event));
      return outboxEvent(note.jobId, note.noteId, NoteIssued.$type, NoteIssued.encode({ note }).finish());
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
    ...commonOf(lease, postTime),
    chargeId: takenBack ? reversalIdOf(charge.usageId) : chargeIdOf(charge.usageId),
    usageId: charge.usageId,
    chargeMicros: sign * charge.charge,
    feeMicros: sign * charge.fee,
    providerMicros: sign * charge.provider,
    billableMs: sign * charge.billableMs,
  };
}

/** Those who follow charges need not know of notes: a note is one more charge of its lease, negative when it is a credit. */
function noteAsCharge({ note, lease, postTime }: NoteEvent): ChargePosted {
  const { charge, fee, provider } = signedSplit(note);
  return {
    ...commonOf(lease, postTime),
    chargeId: noteIdOf(note),
    usageId: note.usageId,
    chargeMicros: charge,
    feeMicros: fee,
    providerMicros: provider,
    billableMs: note.billableMs,
  };
}

function issuedNote({ note, lease, postTime }: NoteEvent): IssuedNote {
  const { usageId, leaseId, kind, charge, writtenOff, billableMs } = note;
  return {
    noteId: noteIdOf(note),
    invoiceId: invoiceIdOf(lease.jobId),
    jobId: lease.jobId,
    leaseId,
    usageId,
    kind,
    amountMicros: charge,
    writtenOffMicros: writtenOff,
    billableMs,
    issueTime: postTime,
  };
}

function commonOf(lease: LeaseTerms, postTime: Date) {
  return {
    jobId: lease.jobId,
    leaseId: lease.leaseId,
    organisationId: lease.payerId,
    providerId: lease.providerId,
    providerOrganisationId: lease.payeeId,
    nodeId: lease.nodeId,
    gpuModelId: lease.gpuModelId,
    emulated: lease.emulated,
    asset: lease.asset,
    gpuMilli: lease.gpuMilli,
    postTime: toTimestamp(postTime),
    priceMicrosPerGpuHour: lease.priceMicrosPerGpuHour,
  };
}
