import { walletOf } from '../domain/account';
import type { BilledLease, Charge } from '../domain/charge';
import type { BillingEvent } from '../domain/events';
import { coverNotes, transfersOfNote, type Note } from '../domain/note';
import { settle, type JobFacts, type Settlement } from '../domain/settlement';
import { newInvoice } from '../domain/statement';
import type { Transfer } from '../domain/transfer';
import type { InvoiceIds, Transaction } from './ports';

/**
 * Brings a job's money in line with everything that has arrived for it. Called in the transaction of every new fact, with the
 * job locked; facts may come in any order and any number of times.
 */
export async function settleJob(tx: Transaction, ids: InvoiceIds, jobId: string, now: Date): Promise<void> {
  const facts = await tx.jobs.facts(jobId);
  const settlement = settle(facts, now);
  await tx.jobs.record(facts, settlement, now);
  const closing = settlement.settles ? await close(tx, ids, facts, settlement, now) : [];
  const noted = await note(tx, ids, facts, settlement, now);
  await tx.events.append([...chargeEvents(facts, settlement, now), ...closing, ...noted.events]);
  // Last, so that balances that others wait for are locked as briefly as can be.
  await tx.ledger.post([...settlement.transfers, ...noted.transfers]);
}

function chargeEvents(facts: JobFacts, { reversed, charges }: Settlement, postTime: Date): BillingEvent[] {
  const event =
    (type: 'charge-posted' | 'charge-taken-back') =>
    (charge: Charge): BillingEvent => ({ type, charge, lease: leaseIn(facts, charge.leaseId), postTime });
  const paid = ({ charge }: Charge): boolean => charge > 0n;
  return [
    ...reversed.filter(paid).map(event('charge-taken-back')),
    ...charges.filter(paid).map(event('charge-posted')),
  ];
}

/** Issues the invoice; a job that never set money aside (a canary, or one refused) has none. */
async function close(
  tx: Transaction,
  ids: InvoiceIds,
  facts: JobFacts,
  { hold, transfers }: Settlement,
  now: Date,
): Promise<BillingEvent[]> {
  if (hold === undefined || hold.amount === 0n) return [];
  const releasedMicros = transfers.find((transfer) => transfer.kind === 'release')?.amount ?? 0n;
  const head = { invoiceId: ids.invoiceIdOf(facts.jobId), jobId: facts.jobId, payerId: hold.payerId };
  const invoice = newInvoice(head, await tx.jobs.runs(facts.jobId), now);
  await tx.jobs.addInvoice(invoice);
  const released: BillingEvent[] =
    facts.hold?.state === 'open' ? [{ type: 'hold-released', hold, releasedMicros }] : [];
  return [...released, { type: 'invoice-issued', invoice }];
}

/** Issues the notes of a settlement; returns the rows and the events that are still to be written. */
async function note(
  tx: Transaction,
  ids: InvoiceIds,
  facts: JobFacts,
  { hold, notes: wanted }: Settlement,
  now: Date,
): Promise<{ readonly transfers: Transfer[]; readonly events: BillingEvent[] }> {
  if (hold === undefined || wanted.length === 0) return { transfers: [], events: [] };
  const rowsOf = (notes: readonly Note[]): Transfer[] =>
    notes.flatMap((each) => transfersOfNote(leaseIn(facts, each.leaseId), each));
  const wallet = walletOf(hold.payerId, hold.asset);
  const notes = coverNotes(wanted, await tx.ledger.available(wallet, rowsOf(wanted)));
  const { jobId } = facts;
  await tx.notes.add(notes, { jobId, invoiceId: ids.invoiceIdOf(jobId), issueTime: now });
  const events = notes.flatMap((each): BillingEvent[] => {
    const told = { note: each, lease: leaseIn(facts, each.leaseId), postTime: now };
    const posted: BillingEvent[] = each.charge > 0n ? [{ type: 'note-posted', ...told }] : [];
    return [...posted, { type: 'note-issued', ...told }];
  });
  return { transfers: rowsOf(notes), events };
}

function leaseIn({ leases }: JobFacts, leaseId: string): BilledLease {
  const lease = leases.find((each) => each.leaseId === leaseId);
  if (lease === undefined) throw new Error(`lease ${leaseId} is not among the facts`);
  return lease;
}
