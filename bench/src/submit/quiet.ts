import type { PlatformPlace } from './platform-clients';
import { wallMs } from './wall-clock';

const EVERY_MS = 500;
/** Events that no consumer has taken yet, and events that no relay has published yet. */
const BACKLOG = /^daya_(consumer_lag_events|outbox_oldest_unpublished_seconds)(?:\{[^}]*\})? (\S+)$/gm;

/**
 * Waits until what was asked for earlier is done behind the agents too: metered, charged, rewarded. Else the next
 * measurement would compete with it. Returns when it was first seen so. Throws after `timeoutMs`.
 */
export async function untilQuiet({ env }: PlatformPlace, timeoutMs: number): Promise<number> {
  const ports = Object.values(env).flatMap(({ ADMIN_PORT }) => (ADMIN_PORT === undefined ? [] : [ADMIN_PORT]));
  const endMs = wallMs() + timeoutMs;
  let sinceMs: number | undefined;
  for (;;) {
    const nowMs = wallMs();
    const isQuiet = (await Promise.all(ports.map(backlogOf))).every((backlog) => backlog === 0);
    // Seen twice: what one service finishes is news for the next.
    if (isQuiet && sinceMs !== undefined) return sinceMs;
    sinceMs = isQuiet ? nowMs : undefined;
    if (nowMs > endMs) throw new Error(`the platform is still busy after ${timeoutMs / 1_000} s`);
    await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
  }
}

async function backlogOf(port: string): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  return [...text.matchAll(BACKLOG)].reduce((sum, [, , value]) => sum + Number(value), 0);
}
