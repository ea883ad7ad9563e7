import type { CapacityPay } from './capacity';
import type { CellRow } from './snapshot';

/** Extra pay per device id: cells share the pool by deficit, devices a cell's pot by capacity pay, which it at most doubles. */
export function payBoost(
  capacity: readonly CapacityPay[],
  cells: readonly CellRow[],
  pool: bigint,
): ReadonlyMap<string, bigint> {
  const deficitTotal = cells.reduce((sum, row) => sum + row.deficitMscu, 0n);
  if (deficitTotal === 0n) return new Map();
  const pots = new Map(cells.map((row) => [row.cell, (pool * row.deficitMscu) / deficitTotal]));
  const payByCell = new Map<string, bigint>();
  for (const { device, pay } of capacity) payByCell.set(device.cell, (payByCell.get(device.cell) ?? 0n) + pay);
  return new Map(
    capacity.map(({ device, pay }) => {
      const cellPay = payByCell.get(device.cell) ?? 0n;
      const share = cellPay === 0n ? 0n : ((pots.get(device.cell) ?? 0n) * pay) / cellPay;
      return [device.device, share < pay ? share : pay];
    }),
  );
}
