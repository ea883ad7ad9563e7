import { createClient, type GrpcCallError, type GrpcClient } from '@daya/nest';
import {
  AgentServiceService,
  UsageBlock,
  type AgentFrame,
  type Hello,
  type Report,
  type ServerFrame,
  type SignedUsageBlock,
} from '@daya/proto/dispatch';
import type { TestNode } from '@daya/testing';

type FrameBody = NonNullable<AgentFrame['frame']>;
type ServerCase = NonNullable<ServerFrame['frame']>['$case'];
type ServerValue<C extends ServerCase> = Extract<NonNullable<ServerFrame['frame']>, { $case: C }>['value'];

/** Generous: the machine may be busy with other tests. */
const WAIT_MS = 20_000;

/** An agent on the real protocol, driven frame by frame. */
export class TestAgent {
  readonly client: GrpcClient<typeof AgentServiceService>;
  readonly received: NonNullable<ServerFrame['frame']>[] = [];
  error: GrpcCallError | undefined;
  ended = false;
  private readonly outbox: FrameBody[] = [];
  private readonly waiting: (() => void)[] = [];
  private wake: () => void = () => undefined;
  private closed = false;

  constructor(
    readonly nodeId: string,
    readonly node: TestNode,
    url: string,
  ) {
    this.client = createClient(AgentServiceService, { url, audience: 'dispatch', tls: node.tls });
  }

  /** Opens the stream without a word. */
  open(): this {
    void this.read();
    return this;
  }

  /** Opens the stream, says hello and waits until the scheduler has heard of it. */
  async connect(hello: Partial<Hello> = {}): Promise<this> {
    this.open().send(aHello(hello));
    await this.next('welcome');
    return this;
  }

  send(frame: FrameBody): void {
    this.outbox.push(frame);
    this.wake();
  }

  heartbeat(sequence: number, leases: { leaseId: string; leaseToken: bigint }[] = []): void {
    this.send({ $case: 'heartbeat', value: { sequence: BigInt(sequence), leases, draining: false } });
  }

  report(report: Partial<Report> & Pick<Report, 'reportId' | 'leaseId'>): void {
    this.send({ $case: 'report', value: { leaseToken: 1n, report: { $case: 'running', value: {} }, ...report } });
  }

  /** Waits for a frame of this kind that fits, and takes it out. Throws the stream's error when it ends before. */
  async next<C extends ServerCase>(
    kind: C,
    fits: (value: ServerValue<C>) => boolean = () => true,
    timeoutMs = WAIT_MS,
  ): Promise<ServerValue<C>> {
    const giveUpMs = Date.now() + timeoutMs;
    for (;;) {
      const index = this.received.findIndex((frame) => frame.$case === kind && fits(frame.value as ServerValue<C>));
      if (index !== -1) return this.received.splice(index, 1)[0]?.value as ServerValue<C>;
      if (this.ended) throw this.error ?? new Error(`the stream ended without ${kind}`);
      await this.news(giveUpMs, `no ${kind} yet`);
    }
  }

  /** Waits for the stream's end and says why: the reason of its status, or `ended`. */
  async whyEnded(timeoutMs = WAIT_MS): Promise<string> {
    const giveUpMs = Date.now() + timeoutMs;
    while (!this.ended) await this.news(giveUpMs, 'the stream is open');
    return this.error?.reason ?? 'ended';
  }

  /** Resolves when a frame came or the stream ended. */
  private news(giveUpMs: number, complaint: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(complaint)), giveUpMs - Date.now());
      this.waiting.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  private tell(): void {
    for (const waiter of this.waiting.splice(0)) waiter();
  }

  async block(
    firstSequence: number,
    ticks: UsageBlock['ticks'],
    bootId: string,
    nodeId = this.nodeId,
  ): Promise<SignedUsageBlock> {
    const block = Buffer.from(
      UsageBlock.encode({ nodeId, bootId, firstSequence: BigInt(firstSequence), ticks }).finish(),
    );
    return { block, signature: Buffer.from(await this.node.sign(block)), generation: 1 };
  }

  close(): void {
    this.closed = true;
    this.wake();
    this.client.onModuleDestroy();
  }

  private async read(): Promise<void> {
    try {
      for await (const { frame } of this.client.connect(this.requests())) {
        if (frame?.frame !== undefined) this.received.push(frame.frame);
        this.tell();
      }
    } catch (error) {
      this.error = error as GrpcCallError;
    }
    this.ended = true;
    this.tell();
  }

  private async *requests(): AsyncGenerator<{ frame: AgentFrame }> {
    while (!this.closed) {
      const frame = this.outbox.shift();
      if (frame !== undefined) yield { frame: { frame } };
      else await new Promise<void>((resolve) => (this.wake = resolve));
    }
  }
}

export const aHello = (overrides: Partial<Hello> = {}): FrameBody => ({
  $case: 'hello',
  value: {
    protocolVersion: 1,
    agentVersion: '0.1.0',
    bootId: '0197a0a0-0000-7000-8000-00000000b007',
    emulated: false,
    inventory: {
      gpus: [],
      cpuMilli: 8_000,
      memoryMib: 1_024,
      scratchMib: 1_024,
      networkMbps: 100,
      driverVersion: '',
      agentVersion: '0.1.0',
      containerDriver: 'runc',
      networkAllowed: false,
    },
    leases: [],
    draining: false,
    ...overrides,
  },
});
