import type { EpochView, PostedCharge, RewardRow } from '../../application/ports';
import type { NodeVersion } from '../../domain/device-facts';
import { deviceId } from '../../domain/device-facts';
import type { RewardAsset } from '../../domain/epoch-inputs';

/** bigint columns arrive as text; here is the only place that turns them into bigint. */
export interface NodeVersionRow {
  readonly node_id: string;
  readonly version: string;
  readonly change_time: Date;
  readonly provider_id: string;
  readonly reward_address: string;
  readonly region: string;
  readonly emulated: boolean;
  readonly online: boolean;
  readonly ineligible_reason: string;
  readonly gpus: NodeVersion['gpus'];
}

export const fromNodeVersionRow = (row: NodeVersionRow): NodeVersion => ({
  nodeId: row.node_id,
  version: BigInt(row.version),
  changeTimeMs: row.change_time.getTime(),
  providerId: row.provider_id,
  rewardAddress: row.reward_address,
  region: row.region,
  emulated: row.emulated,
  online: row.online,
  ineligibleReason: row.ineligible_reason,
  gpus: row.gpus,
});

export interface ChargeRow {
  readonly charge_id: string;
  readonly post_time: Date;
  readonly job_id: string;
  readonly provider_id: string;
  readonly node_id: string;
  readonly gpu_class: string;
  readonly money_asset: string;
  readonly fee_micros: string;
  readonly billable_ms: string;
  readonly gpu_milli: string;
}

export const fromChargeRow = (row: ChargeRow): PostedCharge => ({
  charge: row.charge_id,
  postTimeMs: row.post_time.getTime(),
  job: row.job_id,
  account: row.provider_id,
  device: deviceId(row.node_id, row.gpu_class),
  moneyAsset: row.money_asset,
  feeMicros: BigInt(row.fee_micros),
  billableMs: BigInt(row.billable_ms),
  gpuMilli: BigInt(row.gpu_milli),
});

export interface EpochRow {
  readonly asset: RewardAsset;
  readonly number: string;
  readonly start_time: Date;
  readonly end_time: Date;
  readonly emission: string;
  readonly awarded: string;
  readonly unissued: string;
  readonly root: string;
  readonly manifest_sha256: string;
  readonly top_owner_share_bps: number;
  readonly hhi: number;
}

export const fromEpochRow = (row: EpochRow): EpochView => ({
  number: BigInt(row.number),
  asset: row.asset,
  startTime: row.start_time,
  endTime: row.end_time,
  emission: BigInt(row.emission),
  awarded: BigInt(row.awarded),
  unissued: BigInt(row.unissued),
  root: row.root,
  manifestSha256: row.manifest_sha256,
  topOwnerShareBps: row.top_owner_share_bps,
  hhi: row.hhi,
});

export interface RewardSqlRow {
  readonly account: string;
  readonly address: string;
  readonly amount: string;
  readonly cumulative_vested: string;
  readonly zero_reason: string;
}

export const fromRewardRow = (row: RewardSqlRow): RewardRow => ({
  account: row.account,
  address: row.address,
  amount: BigInt(row.amount),
  cumulativeVested: BigInt(row.cumulative_vested),
  zeroReason: row.zero_reason,
});
