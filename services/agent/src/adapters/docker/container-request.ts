import { join } from 'node:path';
import type { RunSpec } from '../../application/ports';
import { RUN_FILES } from '../keeper/keeper-protocol';
import { SHM_BYTES, TASK_UID } from '../runc/runtime-spec';
import { seccompProfile } from '../runc/seccomp';

/** Docker's create request of one run: the same walls as the runc specification. */
export function containerRequest(
  spec: RunSpec,
  runFolder: string,
  labels: Readonly<Record<string, string>>,
  architecture: string,
): object {
  const { limits } = spec;
  const memoryBytes = limits.memoryBytes + limits.scratchBytes + SHM_BYTES;
  const [program, ...args] = spec.command.length > 0 ? spec.command : spec.image.command;
  return {
    Image: spec.image.location,
    ...(program === undefined ? {} : { Entrypoint: [program], Cmd: args }),
    Env: ['HOME=/scratch', ...Object.entries(spec.env).map(([name, value]) => `${name}=${value}`)],
    User: `${TASK_UID}:${TASK_UID}`,
    WorkingDir: '/scratch',
    Hostname: 'task',
    Labels: labels,
    Tty: false,
    NetworkDisabled: !spec.network,
    HostConfig: {
      Binds: [
        `${join(runFolder, RUN_FILES.scratch)}:/scratch:rw`,
        `${join(runFolder, RUN_FILES.tmp)}:/tmp:rw`,
        `${join(runFolder, RUN_FILES.inputs)}:/inputs:ro`,
      ],
      ReadonlyRootfs: true,
      NetworkMode: spec.network ? 'bridge' : 'none',
      CapDrop: ['ALL'],
      SecurityOpt: ['no-new-privileges', `seccomp=${JSON.stringify(seccompProfile(architecture))}`],
      Memory: memoryBytes,
      MemorySwap: memoryBytes,
      PidsLimit: limits.pids,
      CpuPeriod: 100_000,
      CpuQuota: Math.max(1_000, limits.cpuMilli * 100),
      ShmSize: SHM_BYTES,
      OomScoreAdj: 500,
      Ulimits: [ulimit('nofile', 4_096), ulimit('core', 0), ulimit('memlock', 65_536), ulimit('msgqueue', 0)],
      LogConfig: { Type: 'none', Config: {} },
      IpcMode: 'private',
      ...(spec.gpuUuids.length === 0
        ? {}
        : {
            DeviceRequests: [
              { Driver: 'nvidia', DeviceIDs: [...spec.gpuUuids], Capabilities: [['gpu', 'compute', 'utility']] },
            ],
          }),
    },
  };
}

function ulimit(name: string, value: number): object {
  return { Name: name, Soft: value, Hard: value };
}
