import { readdirSync, readFileSync } from 'node:fs';

const POLL_MS = 20;

/** Processes of this machine whose command line holds `marker`: a container's own, seen from outside. */
export function processesWith(marker: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => pid !== process.pid && commandOf(pid).includes(marker));
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}

export interface Life {
  readonly startMs: number;
  readonly endMs: number;
}

/**
 * Watches, independent of the platform, when a container that carries `marker` in its command lives. Resolves when it has
 * appeared and gone again; within 20 ms on a quiet machine.
 */
export async function watchLife(marker: string, timeoutMs: number): Promise<Life> {
  const deadline = Date.now() + timeoutMs;
  let startMs: number | undefined;
  while (Date.now() < deadline) {
    const alive = processesWith(marker).length > 0;
    if (alive) startMs ??= Date.now();
    if (!alive && startMs !== undefined) return { startMs, endMs: Date.now() };
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  throw new Error(
    `the container with ${marker} ${startMs === undefined ? 'never appeared' : 'did not end'} within ${timeoutMs} ms`,
  );
}
