import { NodeCertified, NodeChanged, NodeRevoked, OfferChanged, OrganisationChanged } from '@daya/proto/registry';
import type { RegistryEvent } from '../../domain/events';
import { toProtoNode } from './fleet';
import { toProtoOffer } from './market';
import { toProtoOrganisation } from './organisations';

export const TOPICS = {
  organisations: 'daya.registry.organisations',
  nodes: 'daya.registry.nodes',
  offers: 'daya.registry.offers',
} as const;

export interface OutboxRecord {
  readonly topic: string;
  readonly key: string;
  readonly type: string;
  readonly payload: Uint8Array;
}

/** One fact as the record that the relay sends. */
export function toOutbox(event: RegistryEvent): OutboxRecord {
  switch (event.type) {
    case 'organisation-changed': {
      const payload = OrganisationChanged.encode({ organisation: toProtoOrganisation(event.organisation) }).finish();
      return {
        topic: TOPICS.organisations,
        key: event.organisation.organisationId,
        type: OrganisationChanged.$type,
        payload,
      };
    }
    case 'node-changed': {
      const { rewardAddress, mscuByGpuModel } = event;
      const message = { node: toProtoNode(event.node), rewardAddress, mscuByGpuModel: { ...mscuByGpuModel } };
      return nodeRecord(event.node.nodeId, NodeChanged.$type, NodeChanged.encode(message).finish());
    }
    case 'node-certified': {
      const { nodeId, generation } = event;
      const message = { nodeId, generation, publicKey: Buffer.from(event.publicKey, 'hex') };
      return nodeRecord(nodeId, NodeCertified.$type, NodeCertified.encode(message).finish());
    }
    case 'node-revoked': {
      const { nodeId, reason } = event;
      return nodeRecord(nodeId, NodeRevoked.$type, NodeRevoked.encode({ nodeId, reason }).finish());
    }
    case 'offer-changed': {
      const payload = OfferChanged.encode({ offer: toProtoOffer(event.offer) }).finish();
      return { topic: TOPICS.offers, key: event.offer.offerId, type: OfferChanged.$type, payload };
    }
  }
}

const nodeRecord = (key: string, type: string, payload: Uint8Array): OutboxRecord => ({
  topic: TOPICS.nodes,
  key,
  type,
  payload,
});
