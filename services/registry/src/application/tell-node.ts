import { followNode } from '../domain/offer';
import type { Node } from '../domain/node';
import type { Transaction } from './ports';

/** Stores a node that changed and tells it. Its row must be locked. */
export async function saveAndTell(tx: Transaction, node: Node): Promise<void> {
  await tx.fleet.saveNode(node);
  await tellNode(tx, node);
}

/** Tells a node as it is, with all that consumers need beside it. */
export async function tellNode(tx: Transaction, node: Node): Promise<void> {
  const provider = await tx.fleet.provider(node.providerId);
  const modelIds = [...new Set(node.inventory?.gpus.map((gpu) => gpu.gpuModelId))];
  const models = modelIds.length === 0 ? [] : await tx.market.models(modelIds);
  const rated = models.map(({ gpuModelId, scuRatings }) => {
    const training = scuRatings.find(({ workKind }) => workKind === 'training');
    return [gpuModelId, training?.mscu ?? 0] as const;
  });
  const mscuByGpuModel = Object.fromEntries(rated);
  await tx.events.append({ type: 'node-changed', node, rewardAddress: provider?.rewardAddress ?? '', mscuByGpuModel });
}

/** Brings a node's open offers up to date with it; those whose GPUs are gone are closed. */
export async function updateOffers(tx: Transaction, node: Node): Promise<void> {
  for (const offer of await tx.market.lockOpenOffers(node.nodeId)) {
    const next = followNode(offer, node);
    if (next === offer) continue;
    await tx.market.saveOffer(next);
    await tx.events.append({ type: 'offer-changed', offer: next });
  }
}
