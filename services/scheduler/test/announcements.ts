import { randomUUID } from 'node:crypto';
import { toWire, type Kafka } from '@daya/messaging';
import * as registry from '@daya/proto/registry';
import type { TestGpuNode } from './messages';

export interface Parties {
  readonly providerId: string;
  readonly organisationId: string;
}

/** What the registry would tell of a node. */
export async function announceNode(
  kafka: Kafka,
  node: TestGpuNode,
  { admitted, region, parties }: { admitted: boolean; region: string; parties: Parties },
): Promise<void> {
  const inventory = {
    gpus: node.gpuUuids.map((uuid, index) => ({ index, uuid, gpuModelId: 'rtx-4090', vramMib: 24_564 })),
    cpuMilli: 16_000,
    memoryMib: 65_536,
    scratchMib: 500_000,
    networkAllowed: true,
  };
  const message = registry.NodeChanged.fromPartial({
    node: {
      nodeId: node.nodeId,
      ...parties,
      region,
      inventory,
      schedulable: admitted,
      version: node.version,
      admissionState: admitted ? registry.AdmissionState.ADMITTED : registry.AdmissionState.PENDING,
    },
  });
  await publish(
    kafka,
    'daya.registry.nodes',
    node.nodeId,
    'daya.registry.v1.NodeChanged',
    registry.NodeChanged.encode(message).finish(),
  );
}

/** … and of its offer. */
export async function announceOffer(
  kafka: Kafka,
  node: TestGpuNode,
  priceMicrosPerGpuHour: bigint,
  region: string,
  parties: Parties,
): Promise<void> {
  const message = registry.OfferChanged.fromPartial({
    offer: {
      offerId: node.offerId,
      nodeId: node.nodeId,
      ...parties,
      gpuModelId: 'rtx-4090',
      gpuCount: node.gpuUuids.length,
      priceMicrosPerGpuHour,
      region,
      reliabilityBps: 9_900,
      networkAllowed: true,
      state: registry.OfferState.OPEN,
      version: 1n,
    },
  });
  await publish(
    kafka,
    'daya.registry.offers',
    node.offerId,
    'daya.registry.v1.OfferChanged',
    registry.OfferChanged.encode(message).finish(),
  );
}

async function publish(kafka: Kafka, topic: string, key: string, type: string, payload: Uint8Array): Promise<void> {
  const publisher = kafka.producer();
  await publisher.publish(topic, [
    toWire({
      id: randomUUID(),
      type,
      key,
      payload,
      aggregateVersion: 1n,
      time: new Date(),
      source: 'registry',
      headers: {},
    }),
  ]);
  await publisher.stop();
}
