import type { RunLimits } from '../../application/ports';
import { seccompProfile } from './seccomp';

/** Everything that differs between two runs; the rest of the specification is the same for all. */
export interface SandboxRequest {
  readonly rootfs: string;
  /** Absolute; outside every other controller group of the host. */
  readonly cgroupPath: string;
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly limits: RunLimits;
  /** Host folders, already made and owned by the mapped user. */
  readonly scratchFolder: string;
  readonly tmpFolder: string;
  readonly inputsFolder: string;
}

/** The user of every task, inside; and the host user that it is in truth. */
export const TASK_UID = 65_534;
const HOST_UID_BASE = 100_000;
export const HOST_TASK_UID = HOST_UID_BASE + TASK_UID;

/** Size of /dev/shm. */
export const SHM_BYTES = 64 * 2 ** 20;
const CPU_PERIOD_US = 100_000;
const MASKED_PATHS = [
  '/proc/acpi',
  '/proc/asound',
  '/proc/interrupts',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/sys/devices/virtual/powercap',
  '/sys/firmware',
];
const READONLY_PATHS = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'];
const NO_CAPABILITIES = { bounding: [], effective: [], inheritable: [], permitted: [], ambient: [] };

/** The OCI runtime specification of one run. The same request always gives the same bytes. */
export function runtimeSpec(request: SandboxRequest, architecture: string): object {
  return {
    ociVersion: '1.0.2',
    hostname: 'task',
    root: { path: request.rootfs, readonly: true },
    process: taskProcess(request),
    mounts: taskMounts(request),
    linux: {
      cgroupsPath: request.cgroupPath,
      namespaces: ['pid', 'ipc', 'uts', 'mount', 'network', 'cgroup', 'user'].map((type) => ({ type })),
      uidMappings: [{ containerID: 0, hostID: HOST_UID_BASE, size: 65_536 }],
      gidMappings: [{ containerID: 0, hostID: HOST_UID_BASE, size: 65_536 }],
      resources: taskResources(request.limits),
      maskedPaths: MASKED_PATHS,
      readonlyPaths: READONLY_PATHS,
      seccomp: seccompProfile(architecture),
    },
  };
}

function taskProcess(request: SandboxRequest): object {
  return {
    terminal: false,
    user: { uid: TASK_UID, gid: TASK_UID },
    args: request.args,
    env: request.env,
    cwd: '/scratch',
    capabilities: NO_CAPABILITIES,
    noNewPrivileges: true,
    oomScoreAdj: 500,
    rlimits: [
      limit('RLIMIT_NOFILE', 4_096),
      limit('RLIMIT_CORE', 0),
      limit('RLIMIT_MEMLOCK', 65_536),
      limit('RLIMIT_MSGQUEUE', 0),
    ],
  };
}

function taskMounts(request: SandboxRequest): readonly object[] {
  return [
    { destination: '/proc', type: 'proc', source: 'proc', options: ['nosuid', 'noexec', 'nodev'] },
    {
      destination: '/dev',
      type: 'tmpfs',
      source: 'tmpfs',
      options: ['nosuid', 'strictatime', 'mode=755', 'size=65536'],
    },
    tmpfs('/dev/shm', SHM_BYTES),
    bind('/scratch', request.scratchFolder, 'rw'),
    bind('/tmp', request.tmpFolder, 'rw'),
    bind('/inputs', request.inputsFolder, 'ro'),
  ];
}

/**
 * Scratch, /tmp and /dev/shm are memory, so their limits are added to the task's own; swap is the same figure, so
 * there is none.
 */
function taskResources(limits: RunLimits): object {
  const memoryBytes = limits.memoryBytes + limits.scratchBytes + SHM_BYTES;
  return {
    devices: [{ allow: false, access: 'rwm' }],
    memory: { limit: memoryBytes, swap: memoryBytes },
    pids: { limit: limits.pids },
    cpu: {
      shares: Math.max(2, Math.floor((limits.cpuMilli * 1_024) / 1_000)),
      quota: Math.max(1_000, Math.floor((limits.cpuMilli * CPU_PERIOD_US) / 1_000)),
      period: CPU_PERIOD_US,
    },
  };
}

function bind(destination: string, source: string, access: 'ro' | 'rw'): object {
  return { destination, type: 'bind', source, options: ['bind', access, 'nosuid', 'nodev'] };
}

function tmpfs(destination: string, bytes: number): object {
  return {
    destination,
    type: 'tmpfs',
    source: 'tmpfs',
    options: ['nosuid', 'nodev', 'mode=1777', `size=${bytes}`, 'nr_inodes=4096'],
  };
}

function limit(type: string, value: number): object {
  return { type, hard: value, soft: value };
}
