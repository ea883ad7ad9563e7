import type { KillReason } from '../../domain/exit-reason';

/** What the engine must know; the agent fills in the whole of Docker's request, so that the keeper decides nothing. */
export type EngineOrder =
  | { readonly type: 'runc'; readonly root: string }
  | { readonly type: 'docker'; readonly socket: string; readonly create: object };

/** What a keeper must know; sent once as the first line of its stdin. Times are absolute on the machine's monotonic clock. */
export interface KeeperOrder {
  readonly engine: EngineOrder;
  readonly containerId: string;
  /** Holds the log and the mounted space; for runc config.json too. */
  readonly runFolder: string;
  readonly logLimitBytes: number;
  readonly maxWallMs: number;
}

/** Lines from the agent. The end of the stream means that the agent is gone. */
export type AgentLine =
  | { readonly type: 'order'; readonly order: KeeperOrder }
  | { readonly type: 'fence'; readonly atMs: number }
  | { readonly type: 'kill'; readonly reason: KillReason }
  | { readonly type: 'release' };

/** What the keeper saw of the container's end. */
export interface KeeperEnd {
  readonly started: boolean;
  readonly commandFault: 126 | 127 | null;
  readonly exitCode: number | null;
  readonly killedFor: KillReason | null;
  readonly oomKills: number;
  readonly cpuMs: number;
  readonly scratchFull: boolean;
  readonly scratchUsedBytes: number;
  readonly logBytes: number;
  readonly logCut: boolean;
  readonly endedAtMs: number;
}

/** Lines to the agent. The log never passes through this pipe: the agent follows the file. */
export type KeeperLine =
  | { readonly type: 'started'; readonly pid: number; readonly pidStartTicks: string; readonly atMs: number }
  | { readonly type: 'exited'; readonly end: KeeperEnd };

/** A start that takes longer has failed; the wall-time limit counts from the start. */
export const START_LIMIT_MS = 60_000;

/** Names inside a run's folder. */
export const RUN_FILES = {
  log: 'log',
  logPipe: 'log.pipe',
  pid: 'pid',
  runtimeLog: 'runtime.log',
  space: 'space',
  scratch: 'space/scratch',
  tmp: 'space/tmp',
  inputs: 'inputs',
} as const;

/** Cuts a byte stream into JSON lines. Lines come only from our own other half, so a bad one is a bug and throws. */
export function lineReader<Line>(handle: (line: Line) => void): (chunk: Buffer) => void {
  let rest = '';
  return (chunk) => {
    const lines = (rest + chunk.toString('utf8')).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) handle(JSON.parse(line) as Line);
  };
}

export function toLine(line: AgentLine | KeeperLine): string {
  return `${JSON.stringify(line)}\n`;
}
