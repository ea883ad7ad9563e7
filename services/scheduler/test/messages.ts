import { randomUUID } from 'node:crypto';
import { toTimestamp } from '@daya/proto';
import type { JobSpec, LeaseOffer, LeaseReport } from '@daya/proto/scheduler';

export interface Member {
  readonly kind: 'member';
  readonly organisationId: string;
  readonly projectId: string;
  readonly role: 'member';
  readonly scopes: readonly string[];
  readonly keyId: string;
  readonly operator: boolean;
}

export interface TestGpuNode {
  readonly nodeId: string;
  readonly offerId: string;
  readonly gpuUuids: readonly string[];
  version: bigint;
}

export const NO_REQUIREMENTS: NonNullable<JobSpec['requirements']> = {
  gpuModelIds: [],
  gpuCount: 1,
  minVramMib: 0,
  cpuMilli: 0,
  memoryMib: 0,
  scratchMib: 0,
  regions: [],
  maxPriceMicrosPerGpuHour: 0n,
  minReliabilityBps: 0,
  realGpusOnly: false,
};

export const heartbeat = (
  nodeId: string,
  leases: readonly { leaseId: string; leaseToken: bigint }[] = [],
  agentStarted = false,
) => ({
  nodeId,
  receiveTime: toTimestamp(new Date()),
  leases: [...leases],
  agentStarted,
  draining: false,
});

export const aSpec = (more: Partial<JobSpec> = {}): JobSpec => ({
  image: { reference: '', digest: `sha256:${'0a'.repeat(32)}` },
  command: ['run', '{task.index}'],
  env: {},
  secrets: [],
  taskCount: 1,
  maxRunSeconds: 60,
  inputs: [],
  outputPath: 'out',
  network: 'NETWORK_POLICY_NONE' as JobSpec['network'],
  labels: {},
  ...more,
});

/** Running and exited of all these. */
export function finished(leases: readonly Pick<LeaseOffer, 'leaseId' | 'leaseToken' | 'nodeId'>[]): LeaseReport[] {
  const receiveTime = toTimestamp(new Date());
  const end = {
    $case: 'exited' as const,
    value: {
      exitCode: 0,
      reason: 'EXITED',
      cumulativeMs: 1n,
      artifacts: [{ path: 'x', bytes: 1n, sha256: 'ab'.repeat(32) }],
    },
  };
  return leases.flatMap((lease) => [
    { ...lease, reportId: randomUUID(), receiveTime, report: { $case: 'running' as const, value: {} } },
    { ...lease, reportId: randomUUID(), receiveTime, report: end },
  ]);
}
