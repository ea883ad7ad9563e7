import { DomainError, type Clock, type Timers } from '@daya/kernel';
import { CERTIFICATE_CHECKS_IN_FLIGHT_MAX, CERTIFICATE_RECHECK_MS } from '../domain/limits';
import type { AgentDirectory } from './agent-directory';
import type { AgentStream } from './agent-stream';
import type { Certificates } from './certificates';
import type { Counters } from './ports';

const TICK_MS = 250;
const HELLO_MIN_MS = 5_000;

/**
 * Ends streams that are silent, never said hello, or whose certificate is no longer good: a revoked node is gone within
 * 5 s. The agent's own fence and the scheduler's expiry do not depend on it.
 */
export class WatchStreams {
  private timer: NodeJS.Timeout | undefined;
  private checking = 0;

  constructor(
    private readonly directory: AgentDirectory,
    private readonly certificates: Certificates,
    private readonly counters: Counters,
    private readonly timers: Timers,
    private readonly clock: Clock,
  ) {}

  start(): Promise<void> {
    this.timer = setInterval(() => this.tick(), TICK_MS);
    this.timer.unref();
    return Promise.resolve();
  }

  stop(): Promise<void> {
    clearInterval(this.timer);
    return Promise.resolve();
  }

  tick(): void {
    const nowMs = this.clock.now().getTime();
    const due: AgentStream[] = [];
    for (const stream of this.directory.all()) {
      this.endSilent(stream, nowMs);
      if (stream.isOpen && nowMs - stream.lastCheckMs >= CERTIFICATE_RECHECK_MS) due.push(stream);
    }
    due.sort((a, b) => a.lastCheckMs - b.lastCheckMs);
    for (const stream of due.slice(0, CERTIFICATE_CHECKS_IN_FLIGHT_MAX - this.checking)) this.recheck(stream, nowMs);
  }

  private endSilent(stream: AgentStream, nowMs: number): void {
    const helloMs = Math.max(HELLO_MIN_MS, this.timers.heartbeatMs);
    const isLate = stream.session.phase === 'new' && nowMs - stream.openedMs > helloMs;
    if (isLate) stream.end(new DomainError('precondition', 'HELLO_EXPECTED', 'hello did not come in time'));
    // A silent agent has fenced itself by then; its stream only looks open.
    if (nowMs - stream.lastFrameMs > Math.max(HELLO_MIN_MS, this.timers.selfFenceMs)) {
      stream.end(new DomainError('unavailable', 'STREAM_SILENT', 'no frame for too long: connect again'));
    }
  }

  private recheck(stream: AgentStream, nowMs: number): void {
    this.checking += 1;
    stream.lastCheckMs = nowMs;
    void this.certificates
      .recheck(stream.node)
      .catch((error: unknown) => {
        this.counters.failed('certificate check', error);
        stream.end(error instanceof Error ? error : new Error(String(error)));
      })
      .finally(() => (this.checking -= 1));
  }
}
