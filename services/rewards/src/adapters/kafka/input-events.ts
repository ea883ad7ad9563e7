import { fromTimestamp } from '@daya/proto';
import { ChargePosted } from '@daya/proto/billing';
import {
  AdmissionState,
  Connectivity,
  NodeChanged,
  NodeRevoked,
  OfferChanged,
  OfferState,
  UnschedulableReason,
  type Node,
} from '@daya/proto/registry';
import type { PartitionEvent } from '@daya/messaging';
import type { PostedCharge } from '../../application/ports';
import { isAddress } from '../../domain/address';
import { assetOf, type NodeVersion } from '../../domain/device-facts';
import type { RewardAsset } from '../../domain/epoch-inputs';
import { INSURANCE_ACCOUNT } from '../../domain/snapshot';

/** The year 9999: what Postgres, JavaScript and RFC 3339 all can say. */
const POST_TIME_MS_MAX = 253_402_300_799_999;

/** What an event changes in this service's tables. */
export type InputChange =
  | { readonly kind: 'node'; readonly node: NodeVersion }
  | { readonly kind: 'revocation'; readonly nodeId: string; readonly timeMs: number }
  | { readonly kind: 'offer'; readonly offer: OfferVersion }
  | { readonly kind: 'charge'; readonly charge: IncomingCharge };

export interface OfferVersion {
  readonly offerId: string;
  readonly version: bigint;
  readonly changeTimeMs: number;
  readonly nodeId: string;
  readonly gpuClass: string;
  readonly open: boolean;
}

export type IncomingCharge = Omit<PostedCharge, 'device'> & {
  readonly asset: RewardAsset;
  readonly nodeId: string;
  readonly gpuClass: string;
};

/**
 * Reads an event; undefined for a type that rewards do not rest on. Throws on a payload that cannot be meant, or that the
 * tables could not hold: the batch around it must not fail over one event.
 */
export function toInputChange(event: PartitionEvent): InputChange | undefined {
  if (Number.isNaN(event.time.getTime())) throw new Error('ce_time is not a time');
  const change = read(event);
  const text = JSON.stringify(change, (_name, value: unknown) =>
    typeof value === 'bigint' ? String(value) : value,
  ) as string | undefined;
  if (text?.includes('\\u0000')) throw new Error('a text holds a NUL character');
  return change;
}

function read(event: PartitionEvent): InputChange | undefined {
  switch (event.type) {
    case NodeChanged.$type:
      return { kind: 'node', node: fromProtoNode(NodeChanged.decode(event.payload), event) };
    case NodeRevoked.$type:
      return {
        kind: 'revocation',
        nodeId: required(NodeRevoked.decode(event.payload).nodeId, 'node_id'),
        timeMs: event.time.getTime(),
      };
    case OfferChanged.$type:
      return { kind: 'offer', offer: fromProtoOffer(OfferChanged.decode(event.payload), event) };
    case ChargePosted.$type:
      return { kind: 'charge', charge: fromProtoCharge(ChargePosted.decode(event.payload)) };
    default:
      return undefined;
  }
}

function fromProtoNode({ node, rewardAddress, mscuByGpuModel }: NodeChanged, event: PartitionEvent): NodeVersion {
  if (node === undefined) throw new Error('node is missing');
  const counts = new Map<string, number>();
  for (const { gpuModelId } of node.inventory?.gpus ?? []) counts.set(gpuModelId, (counts.get(gpuModelId) ?? 0) + 1);
  return {
    nodeId: required(node.nodeId, 'node.node_id'),
    version: event.aggregateVersion ?? node.version,
    changeTimeMs: event.time.getTime(),
    providerId: providerOf(node.providerId, 'node.provider_id'),
    rewardAddress: isAddress(rewardAddress) ? rewardAddress.toLowerCase() : '',
    region: node.region,
    emulated: node.emulated,
    online: node.connectivity === Connectivity.ONLINE,
    ineligibleReason: ineligibleReasonOf(node),
    gpus: [...counts].map(([gpuClass, count]) => ({
      gpuClass,
      count,
      mscuPerGpu: Math.max(0, mscuOf(mscuByGpuModel, gpuClass)),
    })),
  };
}

const mscuOf = (table: NodeChanged['mscuByGpuModel'], gpuClass: string): number =>
  Object.hasOwn(table, gpuClass) ? (table[gpuClass] ?? 0) : 0;

const UNSCHEDULABLE: Readonly<Record<UnschedulableReason, string>> = {
  [UnschedulableReason.UNSPECIFIED]: 'NODE_NOT_SCHEDULABLE',
  [UnschedulableReason.NOT_ADMITTED]: 'NODE_NOT_ADMITTED',
  [UnschedulableReason.DRAINING]: 'NODE_DRAINING',
  [UnschedulableReason.MAINTENANCE]: 'NODE_IN_MAINTENANCE',
  [UnschedulableReason.REVOKED]: 'NODE_REVOKED',
  [UnschedulableReason.GPU_BOUND_ELSEWHERE]: 'GPU_BOUND_ELSEWHERE',
  [UnschedulableReason.UNRECOGNIZED]: 'NODE_NOT_SCHEDULABLE',
};

function ineligibleReasonOf(node: Node): string {
  if (node.admissionState !== AdmissionState.ADMITTED) return 'NODE_NOT_ADMITTED';
  return node.schedulable ? '' : UNSCHEDULABLE[node.unschedulableReason];
}

function fromProtoOffer({ offer }: OfferChanged, event: PartitionEvent): OfferVersion {
  if (offer === undefined) throw new Error('offer is missing');
  return {
    offerId: required(offer.offerId, 'offer.offer_id'),
    version: event.aggregateVersion ?? offer.version,
    changeTimeMs: event.time.getTime(),
    nodeId: offer.nodeId,
    gpuClass: offer.gpuModelId,
    open: offer.state === OfferState.OPEN,
  };
}

function fromProtoCharge(charge: ChargePosted): IncomingCharge {
  if (charge.postTime === undefined) throw new Error('post_time is missing');
  const postTimeMs = fromTimestamp(charge.postTime).getTime();
  if (postTimeMs < 0 || postTimeMs > POST_TIME_MS_MAX) throw new Error('post_time is out of range');
  if (charge.gpuMilli < 0) throw new Error('gpu_milli is negative');
  return {
    charge: required(charge.chargeId, 'charge_id'),
    postTimeMs,
    asset: assetOf(charge.emulated),
    job: required(charge.jobId, 'job_id'),
    account: providerOf(charge.providerId, 'provider_id'),
    nodeId: required(charge.nodeId, 'node_id'),
    gpuClass: required(charge.gpuModelId, 'gpu_model_id'),
    moneyAsset: required(charge.asset, 'asset'),
    feeMicros: charge.feeMicros,
    billableMs: charge.billableMs,
    gpuMilli: BigInt(charge.gpuMilli),
  };
}

function required(value: string, field: string): string {
  if (value === '') throw new Error(`${field} is empty`);
  return value;
}

function providerOf(value: string, field: string): string {
  if (value === INSURANCE_ACCOUNT) throw new Error(`${field} is the insurance fund's name`);
  return required(value, field);
}
