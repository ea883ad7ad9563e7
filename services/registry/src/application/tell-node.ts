import type { RegistryEvent } from '../domain/events';
import type { GpuModel } from '../domain/gpu-model';
import { followNode } from '../domain/offer';
import type { Node } from '../domain/node';
import type { Transaction } from './ports';

/** Stores nodes that changed and tells them, in a few statements whatever their number. Their rows must be locked. */
export async function saveAndTell(tx: Transaction, ...nodes: readonly Node[]): Promise<void> {
  if (nodes.length === 0) return;
  await tx.fleet.saveNodes(nodes);
  await tellNodes(tx, nodes);
}

/** Tells nodes as they are, with all that consumers need beside them. */
export async function tellNodes(tx: Transaction, nodes: readonly Node[]): Promise<void> {
  const providers = await tx.fleet.providers([...new Set(nodes.map(({ providerId }) => providerId))]);
  const addressOf = new Map(providers.map(({ providerId, rewardAddress }) => [providerId, rewardAddress]));
  const modelIds = [...new Set(nodes.flatMap(modelIdsOf))];
  const models = modelIds.length === 0 ? [] : await tx.market.models(modelIds);
  const events = nodes.map((node): RegistryEvent => {
    const own = new Set(modelIdsOf(node));
    const rated = models.filter(({ gpuModelId }) => own.has(gpuModelId));
    const mscuByGpuModel = Object.fromEntries(rated.map((model) => [model.gpuModelId, trainingMscu(model)]));
    return { type: 'node-changed', node, rewardAddress: addressOf.get(node.providerId) ?? '', mscuByGpuModel };
  });
  await tx.events.append(...events);
}

const modelIdsOf = ({ inventory }: Node): string[] => inventory?.gpus.map(({ gpuModelId }) => gpuModelId) ?? [];

const trainingMscu = ({ scuRatings }: GpuModel): number =>
  scuRatings.find(({ workKind }) => workKind === 'training')?.mscu ?? 0;

/** Brings a node's open offers up to date with it; those whose GPUs are gone are closed. */
export async function updateOffers(tx: Transaction, node: Node): Promise<void> {
  for (const offer of await tx.market.lockOpenOffers(node.nodeId)) {
    const next = followNode(offer, node);
    if (next === offer) continue;
    await tx.market.saveOffer(next);
    await tx.events.append({ type: 'offer-changed', offer: next });
  }
}
