import { isUuid } from '@daya/kernel';
import { BatchConsumer, type Kafka, type PartitionEvent } from '@daya/messaging';
import {
  NodeChanged,
  NodeRevoked,
  OfferChanged,
  AdmissionState,
  OfferState,
  UnschedulableReason,
  type Node,
  type Offer,
} from '@daya/proto/registry';
import { write } from '@daya/postgres';
import type { DataSource, EntityManager } from 'typeorm';
import type { MarketState } from '../../application/market-state';
import type { MarketNode, MarketOffer } from '../../domain/market';

export const MARKET_TOPICS = ['daya.registry.nodes', 'daya.registry.offers'] as const;
export const MARKET_GROUP = 'scheduler.market';

const NODE_CHANGED = 'daya.registry.v1.NodeChanged';
const NODE_REVOKED = 'daya.registry.v1.NodeRevoked';
const OFFER_CHANGED = 'daya.registry.v1.OfferChanged';

/**
 * Keeps the projection of nodes and offers: tables that the market is rebuilt from, and the market in memory. Versions
 * only grow, so a replay changes nothing. Memory may be a moment ahead of the tables, never of the registry.
 */
export function marketProjection(kafka: Kafka, db: DataSource, state: MarketState): BatchConsumer {
  const handle = async (events: readonly PartitionEvent[], em: EntityManager): Promise<void> => {
    for (const event of events) await project(event, em, state);
  };
  return new BatchConsumer({ kafka, group: MARKET_GROUP, topics: MARKET_TOPICS, db, handle });
}

async function project(event: PartitionEvent, em: EntityManager, state: MarketState): Promise<void> {
  if (event.type === NODE_CHANGED) {
    const { node } = NodeChanged.decode(event.payload);
    if (node && isUuid(node.nodeId)) await putNode(node, em, state);
  } else if (event.type === NODE_REVOKED) {
    await revoke(NodeRevoked.decode(event.payload).nodeId, em, state);
  } else if (event.type === OFFER_CHANGED) {
    const { offer } = OfferChanged.decode(event.payload);
    if (offer && isUuid(offer.offerId) && isUuid(offer.nodeId)) await putOffer(offer, em, state);
  }
}

async function putNode(node: Node, em: EntityManager, state: MarketState): Promise<void> {
  const view = fromProtoNode(node);
  await write(
    em,
    `INSERT INTO node_view AS v (node_id, provider_id, organisation_id, region, emulated, schedulable, admitted, gpus, cpu_milli, memory_mib,
       scratch_mib, network_allowed, version)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
     ON CONFLICT (node_id) DO UPDATE SET provider_id = excluded.provider_id, organisation_id = excluded.organisation_id, region = excluded.region,
       emulated = excluded.emulated, schedulable = excluded.schedulable, admitted = excluded.admitted, gpus = excluded.gpus,
       cpu_milli = excluded.cpu_milli, memory_mib = excluded.memory_mib, scratch_mib = excluded.scratch_mib,
       network_allowed = excluded.network_allowed, version = excluded.version
     WHERE v.version <= excluded.version`,
    [
      view.nodeId,
      view.providerId,
      view.organisationId,
      view.region,
      view.emulated,
      view.schedulable,
      node.admissionState === AdmissionState.ADMITTED,
      JSON.stringify(view.gpus),
      view.cpuMilli,
      view.memoryMib,
      view.scratchMib,
      view.networkAllowed,
      view.version.toString(),
    ],
  );
  state.market.putNode(view);
  state.wake();
}

/** A revoked node takes no work any more; what runs there ends by its own lease. */
async function revoke(nodeId: string, em: EntityManager, state: MarketState): Promise<void> {
  await write(em, `UPDATE node_view SET schedulable = false WHERE node_id = $1`, [nodeId]);
  const known = state.market.node(nodeId);
  if (known) state.market.putNode({ ...known, schedulable: false });
}

async function putOffer(offer: Offer, em: EntityManager, state: MarketState): Promise<void> {
  const view = fromProtoOffer(offer);
  await write(
    em,
    `INSERT INTO offer_view AS v (offer_id, node_id, provider_id, organisation_id, gpu_model_id, price_micros_per_gpu_hour, region, reliability_bps,
       min_rental_seconds, max_rental_seconds, network_allowed, open, emulated, version)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
     ON CONFLICT (offer_id) DO UPDATE SET price_micros_per_gpu_hour = excluded.price_micros_per_gpu_hour, region = excluded.region,
       reliability_bps = excluded.reliability_bps, min_rental_seconds = excluded.min_rental_seconds, max_rental_seconds = excluded.max_rental_seconds,
       network_allowed = excluded.network_allowed, open = excluded.open, emulated = excluded.emulated, version = excluded.version
     WHERE v.version <= excluded.version`,
    [
      view.offerId,
      view.nodeId,
      view.providerId,
      view.organisationId,
      view.gpuModelId,
      view.priceMicrosPerGpuHour.toString(),
      view.region,
      view.reliabilityBps,
      view.minRentalSeconds,
      view.maxRentalSeconds,
      view.networkAllowed,
      view.open,
      view.emulated,
      view.version.toString(),
    ],
  );
  state.market.putOffer(view);
  state.wake();
}

const fromProtoNode = ({ inventory, ...node }: Node): MarketNode => ({
  nodeId: node.nodeId,
  providerId: node.providerId,
  organisationId: node.organisationId,
  region: node.region,
  emulated: node.emulated,
  schedulable: node.schedulable && node.unschedulableReason !== UnschedulableReason.REVOKED,
  gpus: (inventory?.gpus ?? []).map(({ uuid, gpuModelId, vramMib }) => ({ uuid, gpuModelId, vramMib })),
  cpuMilli: inventory?.cpuMilli ?? 0,
  memoryMib: inventory?.memoryMib ?? 0,
  scratchMib: inventory?.scratchMib ?? 0,
  networkAllowed: inventory?.networkAllowed ?? false,
  version: node.version,
});

const fromProtoOffer = (offer: Offer): MarketOffer => ({
  offerId: offer.offerId,
  nodeId: offer.nodeId,
  providerId: offer.providerId,
  organisationId: offer.organisationId,
  gpuModelId: offer.gpuModelId,
  priceMicrosPerGpuHour: offer.priceMicrosPerGpuHour,
  region: offer.region,
  reliabilityBps: offer.reliabilityBps,
  minRentalSeconds: offer.minRentalSeconds,
  maxRentalSeconds: offer.maxRentalSeconds,
  networkAllowed: offer.networkAllowed,
  open: offer.state === OfferState.OPEN,
  emulated: offer.emulated,
  version: offer.version,
});
