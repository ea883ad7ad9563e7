import { CHECK_SLOTS, type DeviceFact, type RewardAsset } from './epoch-inputs';

/** A node as the registry told of it at one moment; it holds until the node's next version. */
export interface NodeVersion {
  readonly nodeId: string;
  readonly version: bigint;
  readonly changeTimeMs: number;
  readonly providerId: string;
  /** Empty: none declared. */
  readonly rewardAddress: string;
  readonly region: string;
  readonly emulated: boolean;
  readonly online: boolean;
  /** Why the node may not be rented; empty when it may. */
  readonly ineligibleReason: string;
  readonly gpus: readonly { readonly gpuClass: string; readonly count: number; readonly mscuPerGpu: number }[];
}

export interface EpochTime {
  readonly startMs: number;
  readonly endMs: number;
}

export const deviceId = (nodeId: string, gpuClass: string): string => `${nodeId}/${gpuClass}`;

/**
 * The devices of one asset as they were when the epoch ended. `versions` holds each node's versions of the epoch and the one
 * before it, `offered` the devices with an open offer. Nodes that were revoked before the epoch are left out.
 */
export function deviceFactsOf(
  asset: RewardAsset,
  versions: readonly NodeVersion[],
  revokedMs: ReadonlyMap<string, number>,
  offered: ReadonlySet<string>,
  time: EpochTime,
): readonly DeviceFact[] {
  const addresses = declaredAddresses(versions);
  return [...historyByNode(versions)].flatMap(([nodeId, history]) => {
    const latest = history.at(-1);
    const revoked = revokedMs.get(nodeId) ?? Infinity;
    if (latest === undefined || assetOf(latest.emulated) !== asset || revoked < time.startMs) return [];
    const checks = onlineSlots(history, Math.min(revoked, time.endMs), time);
    return latest.gpus.map(({ gpuClass, count, mscuPerGpu }): DeviceFact => {
      const device = deviceId(nodeId, gpuClass);
      const reason =
        revoked < time.endMs ? 'NODE_REVOKED' : latest.ineligibleReason || (offered.has(device) ? '' : 'NOT_OFFERED');
      return {
        device,
        account: latest.providerId,
        declaredAddress: addresses.get(latest.providerId) ?? '',
        gpuClass,
        region: latest.region,
        gpuCount: BigInt(count),
        mscuPerGpu: BigInt(mscuPerGpu),
        checks,
        ineligibleReason: reason,
      };
    });
  });
}

/** What a node earns: emulated GPUs are not real, so neither is their reward. */
export const assetOf = (emulated: boolean): RewardAsset => (emulated ? 'DAYA_TEST' : 'DAYA');

/** The address that each provider declared last; the registry repeats it with every node. */
export function declaredAddresses(versions: readonly NodeVersion[]): ReadonlyMap<string, string> {
  const oldestFirst = [...versions].sort((a, b) => a.changeTimeMs - b.changeTimeMs || Number(a.version - b.version));
  return new Map(oldestFirst.map((row) => [row.providerId, row.rewardAddress]));
}

function historyByNode(versions: readonly NodeVersion[]): ReadonlyMap<string, NodeVersion[]> {
  const byNode = new Map<string, NodeVersion[]>();
  for (const version of [...versions].sort((a, b) => Number(a.version - b.version))) {
    byNode.set(version.nodeId, [...(byNode.get(version.nodeId) ?? []), version]);
  }
  return byNode;
}

/** One digit per twelfth of the epoch: 1 when the node was ONLINE from the slot's first to its last moment. */
export function onlineSlots(
  history: readonly Pick<NodeVersion, 'changeTimeMs' | 'online'>[],
  untilMs: number,
  { startMs, endMs }: EpochTime,
): string {
  const spans = history.map(({ changeTimeMs, online }, index) => ({
    online,
    from: changeTimeMs,
    to: Math.min(history[index + 1]?.changeTimeMs ?? Infinity, untilMs),
  }));
  const known = history[0]?.changeTimeMs ?? Infinity;
  return Array.from({ length: CHECK_SLOTS }, (_, slot) => {
    const from = startMs + ((endMs - startMs) * slot) / CHECK_SLOTS;
    const to = startMs + ((endMs - startMs) * (slot + 1)) / CHECK_SLOTS;
    const wasAway = spans.some((span) => !span.online && span.from < span.to && span.from < to && span.to > from);
    return known <= from && untilMs >= to && !wasAway ? '1' : '0';
  }).join('');
}
