import { receive } from '../domain/agent-session';
import type { AgentFrame } from '../domain/frames';
import type { AgentStream } from './agent-stream';
import type { ForwardReport } from './forward-report';
import type { ForwardUsage } from './forward-usage';
import type { GreetAgent } from './greet-agent';
import type { Counters } from './ports';
import type { StoreLog } from './store-log';

/** Gives each frame to the use case that it is for. */
export class FrameRouter {
  constructor(
    private readonly greet: GreetAgent,
    private readonly report: ForwardReport,
    private readonly usage: ForwardUsage,
    private readonly log: StoreLog,
    private readonly counters: Counters,
  ) {}

  /** Resolves when the next frame may be read. Throws when the agent breaks the protocol: the stream ends. */
  async route(stream: AgentStream, frame: AgentFrame): Promise<void> {
    this.counters.frame(frame.kind);
    const { session, drop } = receive(stream.session, frame);
    stream.session = session;
    if (drop !== undefined) return this.counters.dropped(frame.kind, drop);
    switch (frame.kind) {
      case 'hello':
        this.greet.welcome(stream, frame.hello);
        return this.unwatched('hello', this.greet.announce(stream, frame.hello, undefined));
      case 'heartbeat':
        return this.unwatched('heartbeat', this.greet.announce(stream, frame.heartbeat, frame.heartbeat.sequence));
      case 'report':
        return this.unwatched('report', this.report.execute(stream, frame.report));
      case 'usage':
        return this.unwatched('usage', this.usage.execute(stream, frame.block));
      case 'log':
        return this.log.execute(stream, frame.chunk);
      case 'unknown':
    }
  }

  /** A frame whose handling fails has no answer: the agent repeats it. */
  private unwatched(kind: string, work: Promise<void>): void {
    work.catch((error: unknown) => this.counters.failed(kind, error));
  }
}
