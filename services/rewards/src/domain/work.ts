import { NANO } from './emission';
import { BPS, type JobRow, type Snapshot } from './snapshot';

export interface WorkPay {
  readonly job: JobRow;
  readonly pay: bigint;
}

/** Pays work by settled fee and quality. The cap keeps a reward below its fee, so self-dealing loses at the oracle price. */
export function payWork(snapshot: Snapshot, pool: bigint): readonly WorkPay[] {
  const valued = snapshot.jobs.map((job) => ({ job, value: (job.feeMicros * job.qualityBps) / BPS }));
  const total = valued.reduce((sum, row) => sum + row.value, 0n);
  return valued.map(({ job, value }) => {
    if (total === 0n) return { job, pay: 0n };
    const raw = (pool * value) / total;
    const cap = workCap(job, snapshot.priceHiMicros);
    return { job, pay: raw < cap ? raw : cap };
  });
}

export const workCap = (job: JobRow, priceHiMicros: bigint): bigint =>
  (((job.feeMicros * job.lambdaBps) / BPS) * NANO) / priceHiMicros;
