import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { startTicksOf } from '../keeper/process-kill';

const WAIT_MS = 200;

/**
 * Does `work` while nobody else on this machine does. A lock whose owner has died
 * is taken over; if two take it over at once both work, so the work must bear that: the lock saves effort, it is no fence.
 */
export async function withProcessLock<T>(path: string, work: () => Promise<T>): Promise<T> {
  while (!take(path)) {
    if (ownerIsGone(path)) {
      rmSync(path, { force: true });
      continue;
    }
    await new Promise((resolve) => setTimeout(resolve, WAIT_MS));
  }
  try {
    return await work();
  } finally {
    rmSync(path, { force: true });
  }
}

function take(path: string): boolean {
  try {
    writeFileSync(path, `${process.pid} ${startTicksOf(process.pid) ?? ''}`, { flag: 'wx', mode: 0o600 });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

function ownerIsGone(path: string): boolean {
  try {
    const [pid = '', ticks = ''] = readFileSync(path, 'utf8').split(' ');
    // Between its creation and its first bytes a lock is empty; its owner is alive.
    return pid !== '' && startTicksOf(Number(pid)) !== ticks;
  } catch {
    return false;
  }
}
