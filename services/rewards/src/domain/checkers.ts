import { BPS, type LicenceRow, type Snapshot } from './snapshot';

/** No licence takes more than this many even shares. */
const SHARES_MAX = 3n;

export interface CheckerPay {
  readonly licence: LicenceRow;
  readonly owner: bigint;
  readonly operator: bigint;
}

/** Pays licences by points; a floor on their number keeps a few early ones from draining the pool. */
export function payCheckers(snapshot: Snapshot, pool: bigint): readonly CheckerPay[] {
  const active = BigInt(snapshot.licences.length);
  const points = snapshot.licences.reduce((sum, row) => sum + row.points, 0n);
  const even = active > snapshot.floorLicences ? active : snapshot.floorLicences;
  const cap = (SHARES_MAX * pool) / (even === 0n ? 1n : even);
  return snapshot.licences.map((licence) => {
    const raw = points === 0n ? 0n : (pool * licence.points) / points;
    const pay = raw < cap ? raw : cap;
    const operator = (pay * licence.commissionBps) / BPS;
    return { licence, operator, owner: pay - operator };
  });
}
