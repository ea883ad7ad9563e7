import { DomainError } from '@daya/kernel';
import { NEW_SESSION, type AgentSession } from '../domain/agent-session';
import type { ServerFrame } from '../domain/frames';
import { OUTBOX_BYTES_MAX, OUTBOX_FRAMES_MAX } from '../domain/limits';
import type { NodeCertificate } from './ports';

/** One open stream: its protocol state, the frames that wait for the agent, and how it ends. */
export class AgentStream {
  session: AgentSession = NEW_SESSION;
  lastFrameMs: number;
  lastCheckMs: number;
  /** The scheduler must hear of this life of the agent before the agent gets work: else it would take the work for gone. */
  announced: 'not yet' | 'under way' | 'done' = 'not yet';
  /** Encoded; what registry has not stored yet. */
  pendingInventory: Uint8Array | undefined;
  /** Log chunks are written one after the other; the stream is read on while few bytes wait. */
  logTail: Promise<void> = Promise.resolve();
  logBytesWaiting = 0;
  private readonly outbox: ServerFrame[] = [];
  private outboxBytes = 0;
  private wake: () => void = () => undefined;
  private ended = false;
  private failure: Error | undefined;

  constructor(
    readonly node: NodeCertificate,
    /** As the node was enrolled. */
    readonly emulated: boolean,
    readonly openedMs: number,
  ) {
    this.lastFrameMs = openedMs;
    this.lastCheckMs = openedMs;
  }

  get nodeId(): string {
    return this.node.nodeId;
  }

  get isOpen(): boolean {
    return !this.ended;
  }

  /** The agent can be given work. */
  get isReady(): boolean {
    return this.isOpen && this.announced === 'done';
  }

  /** Frames for a stream that has ended are gone; whoever sent them rings again. */
  send(frame: ServerFrame): void {
    if (this.ended) return;
    this.outbox.push(frame);
    this.outboxBytes += sizeOf(frame);
    if (this.outbox.length > OUTBOX_FRAMES_MAX || this.outboxBytes > OUTBOX_BYTES_MAX) {
      return this.end(new DomainError('exhausted', 'AGENT_TOO_SLOW', 'the agent does not take its frames'));
    }
    this.wake();
  }

  /** Ends the stream after what was sent; with an error at once. The first end counts. */
  end(error?: Error): void {
    if (this.ended) return;
    this.ended = true;
    this.failure = error;
    this.wake();
  }

  /** Frames in the order in which they were sent, until the end. */
  async *frames(): AsyncGenerator<ServerFrame, void, undefined> {
    for (;;) {
      if (this.failure !== undefined) throw this.failure;
      const frame = this.outbox.shift();
      if (frame !== undefined) {
        this.outboxBytes -= sizeOf(frame);
        yield frame;
      } else if (this.ended) return;
      else await new Promise<void>((resolve) => (this.wake = resolve));
    }
  }
}

const FRAME_OVERHEAD_BYTES = 128;
const sizeOf = (frame: ServerFrame): number =>
  FRAME_OVERHEAD_BYTES + (frame.kind === 'offer' ? frame.offer.offer.length : 0);
