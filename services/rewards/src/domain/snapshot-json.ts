import { byUtf8, type JsonValue } from './canonical-json';
import type { Snapshot } from './snapshot';

/** The published form, which `parseSnapshot` reads back; rows sorted by id. */
export const snapshotJson = (snapshot: Snapshot): JsonValue => ({
  version: '1',
  epoch: snapshot.epoch,
  reserve_at_month_start: snapshot.reserveAtMonthStart,
  active_mscu: snapshot.activeMscu,
  baseline_mscu: snapshot.baselineMscu,
  utilisation_bps: snapshot.utilisationBps,
  price_hi_micros: snapshot.priceHiMicros,
  stake_per_mscu: snapshot.stakePerMscu,
  floor_licences: snapshot.floorLicences,
  classes: sorted(snapshot.classes, (row) => row.gpuClass).map((row) => ({
    gpu_class: row.gpuClass,
    subsidy_micros_per_scu_hour: row.subsidyMicrosPerScuHour,
    paid_median_micros_per_scu_hour: row.paidMedianMicrosPerScuHour,
  })),
  devices: sorted(snapshot.devices, (row) => row.device).map((row) => ({
    device: row.device,
    account: row.account,
    gpu_class: row.gpuClass,
    cell: row.cell,
    mscu: row.mscu,
    quality_bps: row.qualityBps,
    checks: row.checks,
    checks_ok: row.checksOk,
    ramp_bps: row.rampBps,
    hired_bps: row.hiredBps,
    stake: row.stake,
    eligible: row.eligible,
  })),
  jobs: sorted(snapshot.jobs, (row) => row.job).map((row) => ({
    job: row.job,
    account: row.account,
    fee_micros: row.feeMicros,
    quality_bps: row.qualityBps,
    lambda_bps: row.lambdaBps,
  })),
  cells: sorted(snapshot.cells, (row) => row.cell).map((row) => ({ cell: row.cell, deficit_mscu: row.deficitMscu })),
  licences: sorted(snapshot.licences, (row) => row.licence).map((row) => ({
    licence: row.licence,
    owner: row.owner,
    operator: row.operator,
    commission_bps: row.commissionBps,
    points: row.points,
  })),
});

const sorted = <T>(rows: readonly T[], id: (row: T) => string): readonly T[] =>
  [...rows].sort((a, b) => byUtf8(id(a), id(b)));
