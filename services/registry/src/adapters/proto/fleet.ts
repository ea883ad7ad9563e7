import { toTimestamp } from '@daya/proto';
import {
  Connectivity,
  UnschedulableReason,
  type Inventory as InventoryProto,
  type Node as NodeProto,
  type Provider as ProviderProto,
} from '@daya/proto/registry';
import type { Inventory } from '../../domain/inventory';
import { unschedulableReason, type Node } from '../../domain/node';
import type { Provider } from '../../domain/provider';
import { ADMISSION_STATE, CONNECTIVITY, PROVIDER_KIND, UNSCHEDULABLE_REASON } from './enums';

export const toProtoProvider = (provider: Provider): ProviderProto => ({
  ...provider,
  kind: PROVIDER_KIND[provider.kind],
  createTime: toTimestamp(provider.createTime),
});

export function toProtoNode(node: Node): NodeProto {
  const reason = unschedulableReason(node);
  const { nodeId, providerId, organisationId, displayName, region, emulated } = node;
  return {
    ...{ nodeId, providerId, organisationId, displayName, region, emulated },
    inventory: node.inventory && toProtoInventory(node.inventory),
    connectivity: node.connectivity ? CONNECTIVITY[node.connectivity] : Connectivity.UNSPECIFIED,
    schedulable: reason === undefined,
    unschedulableReason: reason ? UNSCHEDULABLE_REASON[reason] : UnschedulableReason.UNSPECIFIED,
    admissionState: ADMISSION_STATE[node.admissionState],
    admissionReason: node.admissionReason,
    trustTier: node.trustTier,
    certificateGeneration: node.certificateGeneration,
    certificateExpireTime: toTimestamp(node.certificateExpireTime),
    createTime: toTimestamp(node.createTime),
    version: node.version,
  };
}

const toProtoInventory = (inventory: Inventory): InventoryProto => ({
  ...inventory,
  gpus: inventory.gpus.map((gpu) => ({ ...gpu })),
});

/** Field by field, so that nothing else that a message may carry is stored. */
export function fromProtoInventory(inventory: InventoryProto): Inventory {
  const { cpuMilli, memoryMib, scratchMib, networkMbps, driverVersion, agentVersion, containerDriver, networkAllowed } =
    inventory;
  const gpus = inventory.gpus.map(({ index, uuid, serial, gpuModelId, vramMib }) => ({
    index,
    uuid,
    serial,
    gpuModelId,
    vramMib,
  }));
  return {
    gpus,
    cpuMilli,
    memoryMib,
    scratchMib,
    networkMbps,
    driverVersion,
    agentVersion,
    containerDriver,
    networkAllowed,
  };
}
