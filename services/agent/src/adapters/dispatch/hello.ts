import { AGENT_VERSION, PROTOCOL_VERSION } from '../../version';
import type { Inventory } from '../inventory/inventory';
import type { HelloFacts } from './proto';

/** What the agent says of itself when a stream opens; the same for a whole life. */
export function helloFacts(
  inventory: Inventory,
  bootId: string,
  containerDriver: string,
  networkAllowed: boolean,
): HelloFacts {
  const { gpus, cpuMilli, memoryMib, scratchMib, networkMbps, driverVersion, emulated } = inventory;
  return {
    protocolVersion: PROTOCOL_VERSION,
    agentVersion: AGENT_VERSION,
    bootId,
    emulated,
    inventory: {
      gpus: gpus.map(({ modelId, ...gpu }) => ({ ...gpu, gpuModelId: modelId })),
      cpuMilli,
      memoryMib,
      scratchMib,
      networkMbps,
      driverVersion,
      agentVersion: AGENT_VERSION,
      containerDriver,
      networkAllowed,
    },
  };
}
