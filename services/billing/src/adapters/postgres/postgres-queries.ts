import type { Scope } from '@daya/kernel';
import type { ScopedTransactions } from '@daya/postgres';
import type { EntityManager } from 'typeorm';
import {
  BillingQueries,
  type AccountBalance,
  type JobStatement,
  type Page,
  type PageRequest,
  type PostedTransfer,
} from '../../application/ports';
import type { Hold } from '../../domain/hold';
import { sumOfNotes, totalOf, type Invoice, type IssuedNote } from '../../domain/statement';
import { runsOf } from './postgres-jobs';
import { TRANSFER_COLUMNS, TRANSFER_JOINS } from './postgres-ledger';
import {
  toBalance,
  toHold,
  toInvoice,
  toNote,
  toPostedTransfer,
  type BalanceRow,
  type InvoiceLineRow,
  type InvoiceRow,
  type JobRow,
  type NoteRow,
  type TransferRow,
} from './rows';

const INT8_MAX = '9223372036854775807';
const LAST_UUID = 'ffffffff-ffff-ffff-ffff-ffffffffffff';

/** Under the scope's row-level security; the conditions on organisations are written out as well, for the operator's role has none. */
export class PostgresQueries extends BillingQueries {
  constructor(private readonly transactions: ScopedTransactions) {
    super();
  }

  override hold(scope: Scope, jobId: string): Promise<Hold | undefined> {
    return this.transactions.run(scope, async (em) => {
      const job = await jobOf(em, scope, jobId);
      return job && toHold(job);
    });
  }

  override statement(scope: Scope, jobId: string): Promise<JobStatement | undefined> {
    return this.transactions.run(
      scope,
      async (em) => {
        const job = await jobOf(em, scope, jobId);
        if (job === undefined) return undefined;
        const hold = toHold(job);
        const runs = await runsOf(em, jobId);
        const heldMicros = hold?.amount ?? 0n;
        const notes = await notesOf(em, 'job_id', [jobId]);
        const { credited, debited } = sumOfNotes(notes);
        const chargedAtClose = totalOf(runs).charge + credited - debited;
        const releasedMicros = hold === undefined || hold.state === 'open' ? 0n : heldMicros - chargedAtClose;
        return {
          jobId,
          payerId: job.payer_id ?? '',
          heldMicros,
          releasedMicros,
          runs,
          notes,
          settled: job.settle_time !== null,
        };
      },
      { isolation: 'REPEATABLE READ' },
    );
  }

  override invoice(scope: Scope, invoiceId: string): Promise<Invoice | undefined> {
    return this.transactions.run(scope, async (em) => {
      const rows: InvoiceRow[] = await em.query(
        `SELECT * FROM invoice WHERE invoice_id = $1 AND ($2::uuid IS NULL OR payer_id = $2)`,
        [invoiceId, organisationOf(scope)],
      );
      const [invoice] = await withLines(em, rows);
      return invoice;
    });
  }

  override invoices(scope: Scope, jobId: string, { size, after }: PageRequest): Promise<Page<Invoice>> {
    return this.transactions.run(scope, async (em) => {
      const rows: InvoiceRow[] = await em.query(
        `SELECT * FROM invoice WHERE ($1::uuid IS NULL OR payer_id = $1) AND ($2::uuid IS NULL OR job_id = $2)
           AND (issue_time, invoice_id) < ($3::timestamptz, $4::uuid) ORDER BY issue_time DESC, invoice_id DESC LIMIT $5`,
        [
          organisationOf(scope),
          jobId === '' ? null : jobId,
          after?.['time'] ?? 'infinity',
          after?.['id'] ?? LAST_UUID,
          size + 1,
        ],
      );
      const page = rows.slice(0, size);
      return {
        rows: await withLines(em, page),
        next: nextOf(rows, size, (row) => ({ time: row.issue_time.toISOString(), id: row.invoice_id })),
      };
    });
  }

  override transfers(scope: Scope, { size, after }: PageRequest): Promise<Page<PostedTransfer>> {
    return this.transactions.run(scope, async (em) => {
      const rows: TransferRow[] = await em.query(
        `SELECT ${TRANSFER_COLUMNS} FROM ${TRANSFER_JOINS}
         WHERE ($1::uuid IS NULL OR t.payer_id = $1 OR t.payee_id = $1) AND t.position < $2 ORDER BY t.position DESC LIMIT $3`,
        [organisationOf(scope), after?.['position'] ?? INT8_MAX, size + 1],
      );
      return {
        rows: rows.slice(0, size).map(toPostedTransfer),
        next: nextOf(rows, size, (row) => ({ position: row.position })),
      };
    });
  }

  override balances(scope: Scope, organisationId: string): Promise<readonly AccountBalance[]> {
    return this.transactions.run(scope, async (em) => {
      const rows: BalanceRow[] = await em.query(
        `${BALANCES} WHERE a.owner_id = $1 GROUP BY a.id ORDER BY a.code, a.asset`,
        [organisationId],
      );
      return rows.map(toBalance);
    });
  }

  override trialBalance({ size, after }: PageRequest): ReturnType<BillingQueries['trialBalance']> {
    return this.transactions.run(
      'system',
      async (em) => {
        const rows: BalanceRow[] = await em.query(`${BALANCES} WHERE a.id > $1 GROUP BY a.id ORDER BY a.id LIMIT $2`, [
          after?.['id'] ?? '0',
          size + 1,
        ]);
        const sums: { asset: string; amount: string }[] = await em.query(
          `SELECT asset, sum(posted) AS amount FROM balance GROUP BY asset ORDER BY asset`,
        );
        return {
          rows: rows.slice(0, size).map(toBalance),
          next: nextOf(rows, size, (row) => ({ id: row.id })),
          sums: sums.map(({ asset, amount }) => ({ asset, amount: BigInt(amount) })),
        };
      },
      { isolation: 'REPEATABLE READ' },
    );
  }
}

const BALANCES = `SELECT a.id, a.code, a.asset, sum(b.posted) AS posted, sum(b.held) AS held
  FROM ledger_account a JOIN ledger_balance b ON b.account_id = a.id`;

const organisationOf = (scope: Scope): string | null => (scope === 'system' ? null : scope.organisationId);

async function jobOf(em: EntityManager, scope: Scope, jobId: string): Promise<JobRow | undefined> {
  const [row]: JobRow[] = await em.query(
    `SELECT * FROM billed_job WHERE job_id = $1 AND ($2::uuid IS NULL OR payer_id = $2)`,
    [jobId, organisationOf(scope)],
  );
  return row;
}

async function withLines(em: EntityManager, rows: readonly InvoiceRow[]): Promise<Invoice[]> {
  if (rows.length === 0) return [];
  const lines: InvoiceLineRow[] = await em.query(
    `SELECT * FROM invoice_line WHERE invoice_id = ANY($1::uuid[]) ORDER BY invoice_id, position`,
    [rows.map((row) => row.invoice_id)],
  );
  const notes = await notesOf(
    em,
    'invoice_id',
    rows.map((row) => row.invoice_id),
  );
  return rows.map((row) => toInvoice(row, lines, notes));
}

async function notesOf(em: EntityManager, by: 'job_id' | 'invoice_id', ids: readonly string[]): Promise<IssuedNote[]> {
  const rows: NoteRow[] = await em.query(
    `SELECT * FROM charge_note WHERE ${by} = ANY($1::uuid[]) ORDER BY job_id, position`,
    [ids],
  );
  return rows.map(toNote);
}

/** One row more than asked for was read: it says whether there is a next page, and is not shown. */
function nextOf<R>(
  rows: readonly R[],
  size: number,
  cursor: (row: R) => Record<string, string>,
): Record<string, string> | undefined {
  const last = rows[size - 1];
  return rows.length > size && last !== undefined ? cursor(last) : undefined;
}
