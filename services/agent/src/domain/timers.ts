import { timersAt } from '@daya/kernel';

/** Real milliseconds of the agent's timers. */
export interface AgentTimers {
  readonly heartbeatMs: number;
  readonly selfFenceMs: number;
  /** How long after a keeper's deadline the agent kills by itself; an answer to a broken keeper, so it does not scale. */
  readonly backupKillMs: number;
  readonly reconnectMinMs: number;
  readonly reconnectMaxMs: number;
  /** A sent block that is not acknowledged after this is sent again. */
  readonly resendMs: number;
}

const BACKUP_KILL_MS = 2_000;
const MAX_BACKOFF_DOUBLINGS = 16;

/** The agent's view of the platform's one timer table; `scale` as there. */
export function agentTimers(scale: number): AgentTimers {
  const { heartbeatMs, selfFenceMs } = timersAt(scale);
  return {
    heartbeatMs,
    selfFenceMs,
    backupKillMs: BACKUP_KILL_MS,
    reconnectMinMs: Math.ceil(heartbeatMs / 20),
    reconnectMaxMs: heartbeatMs,
    resendMs: heartbeatMs,
  };
}

/** Heartbeats spread by ± 20 %, so that nodes that were started together do not stay together. `random` is in [0, 1). */
export function jitteredHeartbeatMs(heartbeatMs: number, random: number): number {
  return Math.round(heartbeatMs * (0.8 + 0.4 * random));
}

/** Wait before the n-th reconnect (0-based): doubling, jittered, bounded. `random` is in [0, 1). */
export function reconnectDelayMs(timers: AgentTimers, attempt: number, random: number): number {
  const ceiling = Math.min(
    timers.reconnectMaxMs,
    timers.reconnectMinMs * 2 ** Math.min(attempt, MAX_BACKOFF_DOUBLINGS),
  );
  return Math.round(ceiling * (0.2 + 0.8 * random));
}
