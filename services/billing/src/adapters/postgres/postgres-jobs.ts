import { DomainError } from '@daya/kernel';
import { write } from '@daya/postgres';
import type { EntityManager } from 'typeorm';
import type { BilledJob, Jobs } from '../../application/ports';
import { isWaived, type Charge } from '../../domain/charge';
import type { Hold } from '../../domain/hold';
import type { JobFacts, Settlement } from '../../domain/settlement';
import type { Invoice, RunCharge } from '../../domain/statement';
import { chargeIdOf, reversalIdOf } from '../derive-id';
import { toCharge, toHold, toLease, toRun, type ChargeRow, type JobRow, type LeaseRow } from './rows';

const USD = 'USD';

/** A window that waits to be charged, in JSON. */
interface WaitingRow {
  readonly usageId: string;
  readonly cumulativeMs: string;
}

/**
 * Jobs of one transaction. What it has locked nobody else changes, so a locked job is read once. One whose hold was saved
 * must be locked again before its facts are read.
 */
export class PostgresJobs implements Jobs {
  private readonly locked = new Map<string, JobRow>();

  constructor(private readonly em: EntityManager) {}

  async lock(jobId: string, payerId: string | undefined): Promise<BilledJob> {
    const row = (await this.select(jobId)) ?? (await this.insert(jobId, payerId));
    this.locked.set(jobId, row);
    return { jobId, payerId: row.payer_id ?? '', hold: toHold(row), finished: row.finish_time !== null };
  }

  async insertWithHold(hold: Hold): Promise<void> {
    await write(
      this.em,
      `INSERT INTO billed_job (job_id, payer_id, asset, hold_amount, hold_remaining, hold_state, fee_bps, hold_create_time, hold_close_time)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
      holdValues(hold),
      { billed_job_pkey: () => new DomainError('aborted', 'JOB_KNOWN', 'the job was heard of before') },
    );
  }

  async saveHold(hold: Hold, settleTime?: Date): Promise<void> {
    this.locked.delete(hold.jobId);
    await write(
      this.em,
      `UPDATE billed_job SET payer_id = coalesce(payer_id, $2), asset = $3, hold_amount = $4, hold_remaining = $5, hold_state = $6, fee_bps = $7,
         hold_create_time = $8, hold_close_time = $9, settle_time = coalesce(settle_time, $10) WHERE job_id = $1`,
      [...holdValues(hold), settleTime ?? null],
    );
  }

  async hasStartedLeases(jobId: string): Promise<boolean> {
    const rows: unknown[] = await this.em.query(
      `SELECT 1 FROM billed_lease WHERE job_id = $1 AND start_time IS NOT NULL LIMIT 1`,
      [jobId],
    );
    return rows.length > 0;
  }

  async finish(jobId: string, startedLeaseIds: readonly string[], finishTime: Date): Promise<void> {
    const job = this.lockedRow(jobId);
    if (job.finish_time !== null) return;
    await write(this.em, `UPDATE billed_job SET started_lease_ids = $2, finish_time = $3 WHERE job_id = $1`, [
      jobId,
      startedLeaseIds,
      finishTime,
    ]);
    this.locked.set(jobId, { ...job, started_lease_ids: [...startedLeaseIds], finish_time: finishTime });
  }

  /** Until the job has finished only leases with something to do are read, so a large job costs no more per window. */
  async facts(jobId: string): Promise<JobFacts> {
    const job = this.lockedRow(jobId);
    const finished = job.finish_time !== null;
    const leaseRows: (LeaseRow & { waiting: WaitingRow[] | null })[] = await this.em.query(
      `SELECT l.*, (SELECT json_agg(json_build_object('usageId', w.usage_id, 'cumulativeMs', w.cumulative_ms::text))
           FROM usage_waiting w WHERE w.lease_id = l.lease_id) AS waiting
       FROM billed_lease l WHERE l.job_id = $1 AND ($2 OR (l.waived_reason <> '' AND l.charge_micros > 0) OR l.charged_ms > l.billable_ms
         OR EXISTS (SELECT 1 FROM usage_waiting w WHERE w.lease_id = l.lease_id)) ORDER BY l.lease_id`,
      [jobId, finished],
    );
    const leases = leaseRows.map(toLease);
    const overcharged = leases.filter((lease) =>
      isWaived(lease) ? lease.charged.charge > 0n : lease.chargedMs > lease.billableMs,
    );
    return {
      jobId,
      hold: toHold(job),
      finished,
      startedLeaseIds: job.started_lease_ids,
      settled: job.settle_time !== null,
      leases,
      waiting: leaseRows.flatMap(({ lease_id: leaseId, waiting }) =>
        (waiting ?? []).map(({ usageId, cumulativeMs }) => ({ usageId, leaseId, cumulativeMs: BigInt(cumulativeMs) })),
      ),
      overcharged: await this.liveCharges(overcharged.map((lease) => lease.leaseId)),
    };
  }

  async record(facts: JobFacts, settlement: Settlement, now: Date): Promise<void> {
    const { charges, reversed, measured, hold, settles } = settlement;
    if (reversed.length > 0) await this.takeBack(reversed);
    if (charges.length > 0) await this.addCharges(facts.jobId, charges);
    if (measured.length > 0) {
      await write(this.em, `UPDATE billed_lease SET charged_ms = billable_ms WHERE lease_id = ANY($1::uuid[])`, [
        measured,
      ]);
    }
    if (hold !== undefined && (hold !== facts.hold || settles)) await this.saveHold(hold, settles ? now : undefined);
    else if (settles) await this.saveSettled(facts.jobId, now);
  }

  async runs(jobId: string): Promise<RunCharge[]> {
    return runsOf(this.em, jobId);
  }

  async addInvoice(invoice: Invoice): Promise<void> {
    const column = <T>(of: (line: Invoice['lines'][number]) => T): T[] => invoice.lines.map(of);
    await write(
      this.em,
      `WITH head AS (
         INSERT INTO invoice (invoice_id, job_id, payer_id, total_micros, issue_time) VALUES ($1, $2, $3, $4, $5) RETURNING invoice_id, payer_id)
       INSERT INTO invoice_line (invoice_id, payer_id, position, what, lease_id, task_index, run_number, billable_ms,
         price_micros_per_gpu_hour, gpu_milli, amount_micros)
       SELECT head.*, line.* FROM head,
         unnest($6::int[], $7::text[], $8::uuid[], $9::int[], $10::int[], $11::bigint[], $12::bigint[], $13::int[], $14::bigint[]) AS line`,
      [
        invoice.invoiceId,
        invoice.jobId,
        invoice.payerId,
        invoice.totalMicros.toString(),
        invoice.issueTime,
        invoice.lines.map((_, index) => index + 1),
        column((line) => line.what),
        column((line) => line.leaseId),
        column((line) => line.taskIndex),
        column((line) => line.runNumber),
        column((line) => line.billableMs.toString()),
        column((line) => line.priceMicrosPerGpuHour.toString()),
        column((line) => line.gpuMilli),
        column((line) => line.amountMicros.toString()),
      ],
    );
  }

  private async select(jobId: string): Promise<JobRow | undefined> {
    const [row]: JobRow[] = await this.em.query(`SELECT * FROM billed_job WHERE job_id = $1 FOR UPDATE`, [jobId]);
    return row;
  }

  private async insert(jobId: string, payerId: string | undefined): Promise<JobRow> {
    const [inserted]: JobRow[] = await this.em.query(
      `INSERT INTO billed_job (job_id, payer_id, asset) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING *`,
      [jobId, payerId ?? null, USD],
    );
    const row = inserted ?? (await this.select(jobId));
    if (row === undefined) throw new Error(`job ${jobId} was inserted but cannot be read`);
    return row;
  }

  /** Of a job without a hold: a canary. */
  private async saveSettled(jobId: string, settleTime: Date): Promise<void> {
    this.locked.delete(jobId);
    await write(this.em, `UPDATE billed_job SET settle_time = $2 WHERE job_id = $1`, [jobId, settleTime]);
  }

  private lockedRow(jobId: string): JobRow {
    const row = this.locked.get(jobId);
    if (row === undefined) throw new Error(`job ${jobId} is not locked`);
    return row;
  }

  /** Newest first. */
  private async liveCharges(leaseIds: readonly string[]): Promise<Charge[]> {
    if (leaseIds.length === 0) return [];
    const rows: ChargeRow[] = await this.em.query(
      `SELECT c.* FROM usage_charge c LEFT JOIN charge_reversal r USING (usage_id)
       WHERE c.lease_id = ANY($1::uuid[]) AND r.usage_id IS NULL ORDER BY c.lease_id, c.up_to_ms DESC, c.usage_id`,
      [leaseIds],
    );
    return rows.map(toCharge);
  }

  private async takeBack(charges: readonly Charge[]): Promise<void> {
    const usageIds = charges.map((charge) => charge.usageId);
    await write(
      this.em,
      `WITH reversed AS (INSERT INTO charge_reversal (usage_id, tx_id) SELECT * FROM unnest($1::text[], $2::uuid[]))
       ${addToLeases(-1, 'usage_charge WHERE usage_id = ANY($1)')}`,
      [usageIds, usageIds.map(reversalIdOf)],
    );
  }

  private async addCharges(jobId: string, charges: readonly Charge[]): Promise<void> {
    const column = <T>(of: (charge: Charge) => T): T[] => charges.map(of);
    await write(
      this.em,
      `WITH charged AS (
         INSERT INTO usage_charge (usage_id, tx_id, lease_id, job_id, payer_id, payee_id, billable_ms, up_to_ms, charge_micros, fee_micros, provider_micros, outcome)
         SELECT c.usage_id, c.tx_id, l.lease_id, $1, l.payer_id, l.payee_id, c.billable_ms, c.up_to_ms, c.charge, c.fee, c.provider, c.outcome
         FROM unnest($2::text[], $3::uuid[], $4::uuid[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[], $10::text[])
           AS c (usage_id, tx_id, lease_id, billable_ms, up_to_ms, charge, fee, provider, outcome) JOIN billed_lease l USING (lease_id) RETURNING *),
       done AS (DELETE FROM usage_waiting WHERE usage_id = ANY($2))
       ${addToLeases(1, 'charged')}`,
      [
        jobId,
        column((c) => c.usageId),
        column((c) => chargeIdOf(c.usageId)),
        column((c) => c.leaseId),
        column((c) => c.billableMs.toString()),
        column((c) => c.upToMs.toString()),
        column((c) => c.charge.toString()),
        column((c) => c.fee.toString()),
        column((c) => c.provider.toString()),
        column((c) => c.outcome),
      ],
    );
  }
}

const holdValues = (hold: Hold): unknown[] => [
  hold.jobId,
  hold.payerId === '' ? null : hold.payerId,
  hold.asset,
  hold.amount.toString(),
  hold.remaining.toString(),
  hold.state,
  Number(hold.feeBps),
  hold.createTime,
  hold.closeTime ?? null,
];

/** Adds charges to the running totals of their leases, or takes them off. */
const addToLeases = (sign: 1 | -1, charges: string): string =>
  `UPDATE billed_lease l SET charged_ms = l.charged_ms + ${sign} * c.ms, charge_micros = l.charge_micros + ${sign} * c.charge,
     fee_micros = l.fee_micros + ${sign} * c.fee, provider_micros = l.provider_micros + ${sign} * c.provider
   FROM (SELECT lease_id, sum(billable_ms) AS ms, sum(charge_micros) AS charge, sum(fee_micros) AS fee, sum(provider_micros) AS provider
         FROM ${charges} GROUP BY lease_id) c WHERE l.lease_id = c.lease_id`;

/** Every run of a job that started. */
export async function runsOf(em: EntityManager, jobId: string): Promise<RunCharge[]> {
  const rows: LeaseRow[] = await em.query(
    `SELECT * FROM billed_lease WHERE job_id = $1 AND start_time IS NOT NULL ORDER BY task_index, run_number, lease_id`,
    [jobId],
  );
  return rows.map(toRun);
}
