import type { CgroupReading } from './cgroup';

/** What an engine tells its keeper; each at most once, `exited` always. */
export interface EngineListener {
  /** The container's first process runs; its pid is the host's. */
  started(pid: number): void;
  /** Null when nobody knows how it ended. */
  exited(exitCode: number | null): void;
}

/** What runs a container for a keeper. */
export interface Engine {
  /** Starts; everything else comes through the listener. */
  start(listener: EngineListener): void;
  /** Stops a start that has not got as far as a process. */
  abort(): void;
  /** For a container that never ran: whether its command was the reason (126, 127: as a shell would say it). */
  commandFault(): 126 | 127 | null;
  /** After the exit and before `remove`. */
  counters(): Promise<CgroupReading>;
  /** Removes the container, if it is there, and waits until its output has been read to the end. */
  remove(): Promise<void>;
}
