import { DomainError, type Clock } from '@daya/kernel';
import type { AgentFrame, ServerFrame } from '../domain/frames';
import type { AgentDirectory } from './agent-directory';
import { AgentStream } from './agent-stream';
import type { Certificates } from './certificates';
import type { FrameRouter } from './frame-router';
import type { Counters, NodeCertificate } from './ports';

export interface Connection {
  readonly node: NodeCertificate;
  readonly frames: AsyncIterable<AgentFrame>;
  /** Aborts when the agent leaves or the server ends the stream. */
  readonly signal: AbortSignal;
}

/** An agent's one stream, from the check of its certificate to its end. */
export class ConnectAgent {
  constructor(
    private readonly certificates: Certificates,
    private readonly directory: AgentDirectory,
    private readonly router: FrameRouter,
    private readonly counters: Counters,
    private readonly clock: Clock,
  ) {}

  /** Throws `unauthenticated` for a bad certificate, `exhausted` when there are too many agents, what `receive` throws. */
  async *execute({ node, frames, signal }: Connection): AsyncGenerator<ServerFrame, void, undefined> {
    const { emulated } = await this.certificates.refuseRevoked(node);
    const stream = new AgentStream(node, emulated, this.clock.now().getTime());
    this.directory.add(stream);
    const leave = (): void => stream.end();
    signal.addEventListener('abort', leave);
    if (signal.aborted) leave();
    void this.read(stream, frames);
    try {
      yield* stream.frames();
      this.counters.streamEnded('CLOSED');
    } catch (error) {
      this.counters.streamEnded(error instanceof DomainError ? error.reason : 'FAILED');
      throw error;
    } finally {
      signal.removeEventListener('abort', leave);
      stream.end();
      this.directory.remove(stream);
    }
  }

  private async read(stream: AgentStream, frames: AsyncIterable<AgentFrame>): Promise<void> {
    try {
      for await (const frame of frames) {
        if (!stream.isOpen) return;
        stream.lastFrameMs = this.clock.now().getTime();
        await this.router.route(stream, frame);
      }
      stream.end();
    } catch (error) {
      stream.end(error instanceof Error ? error : new Error(String(error)));
    }
  }
}
