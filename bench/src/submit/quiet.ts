import type { PlatformPlace } from './platform-clients';

const EVERY_MS = 500;
/** Events that no consumer has taken yet, and events that no relay has published yet. */
const BACKLOG = /^daya_(consumer_lag_events|outbox_oldest_unpublished_seconds)(?:\{[^}]*\})? (\S+)$/gm;

/**
 * Waits until what was asked for earlier is done behind the agents too: metered, charged, rewarded. Else the next
 * measurement would compete with it. Throws after `timeoutMs`.
 */
export async function untilQuiet({ env }: PlatformPlace, timeoutMs: number): Promise<void> {
  const ports = Object.values(env).flatMap(({ ADMIN_PORT }) => (ADMIN_PORT === undefined ? [] : [ADMIN_PORT]));
  const endAt = performance.now() + timeoutMs;
  // Twice in a row: what one service finishes is news for the next.
  for (let quiet = 0; quiet < 2; quiet += 1) {
    if ((await Promise.all(ports.map(backlogOf))).some((backlog) => backlog > 0)) quiet = -1;
    if (performance.now() > endAt) throw new Error(`the platform is still busy after ${timeoutMs / 1_000} s`);
    await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
  }
}

async function backlogOf(port: string): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  return [...text.matchAll(BACKLOG)].reduce((sum, [, , value]) => sum + Number(value), 0);
}
