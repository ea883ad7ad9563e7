import { GetNodeResponse, ProviderServiceService } from '@daya/proto/registry';

/** The one call that both servers answer, and a reply as the registry gives it (about 330 bytes). */
export const SUBJECT = { getNode: ProviderServiceService.getNode };

export const NODE_ID = '0197a0a0-0000-7000-8000-000000000001';

const REPLY = GetNodeResponse.fromPartial({
  node: {
    nodeId: NODE_ID,
    providerId: '0197a0a0-0000-7000-8000-000000000002',
    organisationId: '0197a0a0-0000-7000-8000-000000000003',
    displayName: 'citra-4090',
    region: 'ap-southeast',
    emulated: true,
    inventory: {
      gpus: [
        { index: 0, uuid: 'GPU-EMULATED-citra-4090-0', serial: '', gpuModelId: 'rtx-4090', vramMib: 24_576 },
        { index: 1, uuid: 'GPU-EMULATED-citra-4090-1', serial: '', gpuModelId: 'rtx-4090', vramMib: 24_576 },
      ],
      cpuMilli: 16_000,
      memoryMib: 65_536,
      scratchMib: 20_480,
      networkMbps: 500,
      driverVersion: '580.65.06',
      agentVersion: '0.1.0',
      containerDriver: 'runc',
    },
    schedulable: true,
    trustTier: 'verified',
    certificateGeneration: 3,
    version: 17n,
  },
});

export const replyTo = (nodeId: string): GetNodeResponse => {
  if (nodeId !== NODE_ID) throw new Error(`asked for ${nodeId}`);
  return REPLY;
};

/** What a measured server says to the process that measures it. */
export type ServerMessage = { readonly port: number } | { readonly cpuMicros: number };

/** Tells the port, then answers every message with the CPU time (user and system) that this process has used so far. */
export function answerMeasurements(port: number): void {
  process.on('message', () => {
    const { user, system } = process.cpuUsage();
    process.send?.({ cpuMicros: user + system } satisfies ServerMessage);
  });
  process.send?.({ port } satisfies ServerMessage);
}
