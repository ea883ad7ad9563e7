/**
 * Why a run ended. The list is closed: the customer, the scheduler and billing decide by it, so a new cause is a new word here and in the proto.
 * A cut log is not an end; it is a mark on the log.
 */
export const EXIT_REASONS = [
  'EXITED',
  'DEADLINE',
  'OOM',
  'OOM_CHILD',
  'DISK_FULL',
  'START_FAILED',
  'IMAGE_NOT_FOUND',
  'IMAGE_INVALID',
  'INPUT_INVALID',
  'OUTPUT_INVALID',
  'CANCELLED',
  'FENCED',
  'NODE_LOST',
  'AGENT_RESTARTED',
] as const;

export type ExitReason = (typeof EXIT_REASONS)[number];

/** The reasons for which the agent itself kills a container. */
export type KillReason = 'DEADLINE' | 'CANCELLED' | 'FENCED' | 'AGENT_RESTARTED';

/** What was seen of a container that is gone; every field comes from the kernel or runc, none from the container's own words. */
export interface ContainerEnd {
  readonly started: boolean;
  /** 127: the command is not in the image; 126: its user may not execute it; null: no such complaint. */
  readonly commandFault: 126 | 127 | null;
  /** 128 + signal when pid 1 died by a signal; null when the container never ran or nobody saw its end. */
  readonly exitCode: number | null;
  /** Set when the agent or the keeper sent SIGKILL before the end was seen. */
  readonly killedFor: KillReason | null;
  /** Processes of the cgroup that the kernel killed for memory. */
  readonly oomKills: number;
  /** No byte or no inode of scratch was left. */
  readonly scratchFull: boolean;
}

const KILLED_EXIT_CODE = 137;

/**
 * Names the end of a container. A kill counts only when pid 1 really died of it: a task that finished in the same
 * millisecond keeps its own exit. Memory goes before disk because an OOM kill also leaves half-written files.
 */
export function exitReasonOf(end: ContainerEnd): ExitReason {
  if (!end.started) return reasonBeforeStart(end);
  if (end.exitCode === null) return end.killedFor ?? 'NODE_LOST';
  if (end.killedFor !== null && end.exitCode === KILLED_EXIT_CODE) return end.killedFor;
  if (end.oomKills > 0) return end.exitCode === KILLED_EXIT_CODE ? 'OOM' : 'OOM_CHILD';
  if (end.scratchFull && end.exitCode !== 0) return 'DISK_FULL';
  return 'EXITED';
}

/** A command that cannot be executed is the program's own failure and ends as a shell would end it; the rest is the node's. */
function reasonBeforeStart(end: ContainerEnd): ExitReason {
  if (end.killedFor !== null && end.killedFor !== 'DEADLINE') return end.killedFor;
  return end.commandFault === null ? 'START_FAILED' : 'EXITED';
}

/** True only for an end whose artifacts are a result. */
export function isSuccess(reason: ExitReason, exitCode: number | null): boolean {
  return reason === 'EXITED' && exitCode === 0;
}
