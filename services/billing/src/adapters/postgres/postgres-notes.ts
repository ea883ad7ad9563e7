import { write } from '@daya/postgres';
import type { EntityManager } from 'typeorm';
import type { Notes } from '../../application/ports';
import { signedSplit, type Note } from '../../domain/note';
import { noteIdOf } from '../derive-id';

export class PostgresNotes implements Notes {
  constructor(private readonly em: EntityManager) {}

  async add(
    notes: readonly Note[],
    { jobId, invoiceId, issueTime }: { readonly jobId: string; readonly invoiceId: string; readonly issueTime: Date },
  ): Promise<void> {
    const column = <T>(of: (note: Note) => T): T[] => notes.map(of);
    const leaseIds = column((note) => note.leaseId);
    const writtenOff = column((note) => note.writtenOff.toString());
    await write(
      this.em,
      `INSERT INTO charge_note (note_id, usage_id, lease_id, job_id, invoice_id, payer_id, payee_id, kind, billable_ms, charge_micros,
         fee_micros, provider_micros, written_off_micros, position, issue_time)
       SELECT n.note_id, n.usage_id, n.lease_id, $1, $2, l.payer_id, l.payee_id, n.kind, n.billable_ms, n.charge, n.fee, n.provider,
         n.written_off, (SELECT count(*) FROM charge_note WHERE job_id = $1) + n.place, $3
       FROM unnest($4::uuid[], $5::text[], $6::uuid[], $7::text[], $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[])
         WITH ORDINALITY AS n (note_id, usage_id, lease_id, kind, billable_ms, charge, fee, provider, written_off, place)
       JOIN billed_lease l USING (lease_id)`,
      [
        jobId,
        invoiceId,
        issueTime,
        column(noteIdOf),
        column((note) => note.usageId),
        leaseIds,
        column((note) => note.kind),
        column((note) => note.billableMs.toString()),
        column((note) => note.charge.toString()),
        column((note) => note.fee.toString()),
        column((note) => note.provider.toString()),
        writtenOff,
      ],
    );
    await this.addToLeases(notes, leaseIds, writtenOff);
  }

  /** A lease has at most one note of a kind in one go, so plain sums do. */
  private async addToLeases(notes: readonly Note[], leaseIds: string[], writtenOff: string[]): Promise<void> {
    const change = (of: (split: ReturnType<typeof signedSplit>) => bigint): string[] =>
      notes.map((note) => of(signedSplit(note)).toString());
    await write(
      this.em,
      `UPDATE billed_lease l SET charge_micros = l.charge_micros + n.charge, fee_micros = l.fee_micros + n.fee,
         provider_micros = l.provider_micros + n.provider, written_off_micros = l.written_off_micros + n.written_off
       FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[]) AS n (lease_id, charge, fee, provider, written_off)
       WHERE l.lease_id = n.lease_id`,
      [
        leaseIds,
        change(({ charge }) => charge),
        change(({ fee }) => fee),
        change(({ provider }) => provider),
        writtenOff,
      ],
    );
  }
}
