import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** What the kernel counted for a whole container. */
export interface CgroupReading {
  readonly oomKills: number;
  readonly cpuMs: number;
}

/**
 * Where runc put a container: one folder per controller on cgroup v1, one under the empty name on v2. A hybrid machine
 * has both, and there only v1 knows of memory.
 */
export type CgroupPaths = Readonly<Record<string, string>>;

/** The folders of a container from runc's own state file; null when runc never got that far. */
export function cgroupPathsOf(runcRoot: string, containerId: string): CgroupPaths | null {
  const text = readOrNull(join(runcRoot, containerId, 'state.json'));
  if (text === null) return null;
  const state = JSON.parse(text) as { cgroup_paths?: CgroupPaths };
  return state.cgroup_paths ?? null;
}

/** Reads the counters; only until `runc delete`, which removes the folders. A folder that is gone counts nothing. */
export function readCgroup(paths: CgroupPaths): CgroupReading {
  const unified = paths[''];
  if (unified !== undefined && paths['memory'] === undefined) {
    return {
      oomKills: keyedNumber(readOrNull(join(unified, 'memory.events')), 'oom_kill'),
      cpuMs: Math.floor(keyedNumber(readOrNull(join(unified, 'cpu.stat')), 'usage_usec') / 1_000),
    };
  }
  const usageNs = Number(readOrNull(join(paths['cpuacct'] ?? '/nonexistent', 'cpuacct.usage')) ?? '0');
  return {
    oomKills: keyedNumber(readOrNull(join(paths['memory'] ?? '/nonexistent', 'memory.oom_control')), 'oom_kill'),
    cpuMs: Math.floor(usageNs / 1e6),
  };
}

/** Processes that are still in the container, by the kernel's list. */
export function processesIn(paths: CgroupPaths): readonly number[] {
  const folder = paths['pids'] ?? paths['memory'] ?? paths[''];
  if (folder === undefined) return [];
  return (readOrNull(join(folder, 'cgroup.procs')) ?? '')
    .split('\n')
    .filter((line) => line !== '')
    .map(Number);
}

/** "key value" lines, as both cgroup versions write them. */
export function keyedNumber(text: string | null, key: string): number {
  const line = text?.split('\n').find((candidate) => candidate.startsWith(`${key} `));
  return line === undefined ? 0 : Number(line.slice(key.length + 1));
}

function readOrNull(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}
