import type { OutboxEvent } from '@daya/messaging';
import { toTimestamp } from '@daya/proto';
import { EpochClosed, type Epoch, type Reward } from '@daya/proto/rewards';
import type { EpochView, RewardRow } from '../application/ports';
import type { RewardAsset } from '../domain/epoch-inputs';
import { epochFolder } from './files/published-folder';

export const EPOCHS_TOPIC = 'daya.rewards.epochs';

export const toProtoEpoch = (epoch: EpochView): Epoch => ({
  number: epoch.number,
  asset: epoch.asset,
  startTime: toTimestamp(epoch.startTime),
  endTime: toTimestamp(epoch.endTime),
  emission: epoch.emission,
  awarded: epoch.awarded,
  unissued: epoch.unissued,
  root: epoch.root,
  manifestSha256: epoch.manifestSha256,
  manifestPath: `${epochFolder(epoch.asset, epoch.number)}/manifest.json`,
  topOwnerShareBps: epoch.topOwnerShareBps,
  hhi: epoch.hhi,
});

export const toProtoReward = (asset: RewardAsset, epochNumber: bigint, row: RewardRow): Reward => ({
  epochNumber,
  asset,
  account: row.account,
  address: row.address,
  amount: row.amount,
  cumulativeVested: row.cumulativeVested,
  zeroReason: row.zeroReason,
});

export const toEpochClosed = (eventId: string, epoch: EpochView): OutboxEvent => ({
  eventId,
  topic: EPOCHS_TOPIC,
  key: epoch.asset,
  type: EpochClosed.$type,
  payload: EpochClosed.encode({ epoch: toProtoEpoch(epoch) }).finish(),
});
