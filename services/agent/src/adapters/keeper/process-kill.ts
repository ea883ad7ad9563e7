import { readFileSync } from 'node:fs';

/** When a process was started, in the kernel's ticks; with the pid it names one process for ever. Null when it is gone. */
export function startTicksOf(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field is the name in brackets and may hold spaces and brackets itself.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? null;
  } catch {
    return null;
  }
}

/** SIGKILL to exactly this process; a pid that was given to another one since is left alone. */
export function killExactly(pid: number, startTicks: string): void {
  if (startTicksOf(pid) !== startTicks) return;
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
