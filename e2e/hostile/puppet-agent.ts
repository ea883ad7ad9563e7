import { createHash, randomUUID, sign, type KeyObject } from 'node:crypto';
import { createClient, type GrpcClient } from '@daya/nest/client';
import { decodeStrict } from '@daya/proto';
import {
  AgentServiceService,
  type ConnectRequest,
  UsageBlock,
  type AgentFrame,
  type ReportAck,
  type ServerFrame,
  type SignedUsageBlock,
  type UsageTick,
} from '@daya/proto/dispatch';
import type { Inventory } from '@daya/proto/registry';
import { LeaseOffer, type HeldLease } from '@daya/proto/scheduler';
import { PushQueue } from './push-queue';

export interface PuppetNode {
  readonly nodeId: string;
  readonly key: KeyObject;
  readonly tls: { readonly ca: Buffer; readonly cert: Buffer; readonly key: Buffer };
  /** `host:port` of the agents' listener. */
  readonly address: string;
}

/** An offer whose job wears this label is left unanswered. */
export const SILENT = { puppet: 'silent' } as const;
const HEARTBEAT_MS = 800;
const ARTIFACT = Buffer.from('what a run leaves\n');
export const PUPPET_ARTIFACT = {
  path: 'out.txt',
  bytes: BigInt(ARTIFACT.length),
  sha256: createHash('sha256').update(ARTIFACT).digest('hex'),
};

export type Frame = NonNullable<AgentFrame['frame']>;
export type ReportBody = Extract<Frame, { $case: 'report' }>['value']['report'];
export type Reply = NonNullable<ServerFrame['frame']>;

/**
 * A node without containers: speaks the agents' protocol over its certificate, takes what it is offered and reports it done
 * at once, with one artifact and a signed tick. Makes jobs finish within a second, so that a prepared world is cheap.
 */
export class PuppetAgent {
  readonly bootId = randomUUID();
  /** What it was offered, by job. */
  readonly offers = new Map<string, LeaseOffer>();
  readonly client: GrpcClient<typeof AgentServiceService>;
  private frames = new PushQueue<ConnectRequest>();
  private abort = new AbortController();
  private readonly acked = new Map<string, (ack: ReportAck) => void>();
  private timer: NodeJS.Timeout | undefined;
  private welcomed: () => void = () => undefined;
  private sequence = 0n;
  private ticks = 0n;
  /** Why it is no longer connected. */
  failure: unknown;

  constructor(
    protected readonly node: PuppetNode,
    private readonly inventory: Inventory,
  ) {
    this.client = createClient(AgentServiceService, { url: node.address, audience: 'dispatch', tls: node.tls });
  }

  /** Opens its stream, or a new one in its place. Resolves when it is welcome. */
  start(): Promise<void> {
    this.hangUp();
    const welcome = new Promise<void>((resolve) => (this.welcomed = resolve));
    const [frames, abort] = [new PushQueue<ConnectRequest>(), new AbortController()];
    [this.frames, this.abort, this.sequence, this.failure] = [frames, abort, 0n, undefined];
    this.send({ $case: 'hello', value: this.hello() });
    this.read(this.client.connect(frames, { signal: abort.signal })).catch((error: unknown) => {
      if (!abort.signal.aborted) this.failure = error;
    });
    this.timer = setInterval(() => this.beat(), HEARTBEAT_MS);
    this.beat();
    return welcome;
  }

  stop(): void {
    this.hangUp();
    this.client.onModuleDestroy();
  }

  /** Leaves without a word, as a node that lost its network. */
  hangUp(): void {
    clearInterval(this.timer);
    this.abort.abort();
    this.frames.end();
  }

  hello() {
    return {
      protocolVersion: 1,
      agentVersion: 'puppet',
      bootId: this.bootId,
      emulated: true,
      inventory: this.inventory,
      leases: this.held(),
      draining: false,
    };
  }

  /** Leases that it keeps; this one is done with each at once. */
  protected held(): HeldLease[] {
    return [];
  }

  /** Whatever it is told, before it acts on it. */
  protected hear(_reply: Reply): void {
    // Nobody asks a puppet.
  }

  private beat(): void {
    this.sequence += 1n;
    this.send({ $case: 'heartbeat', value: { sequence: this.sequence, leases: this.held(), draining: false } });
  }

  protected send(frame: Frame): void {
    this.frames.push({ frame: { frame } });
  }

  private async read(replies: AsyncIterable<{ frame?: ServerFrame | undefined }>): Promise<void> {
    for await (const { frame } of replies) {
      const reply = frame?.frame;
      if (reply !== undefined) this.hear(reply);
      if (reply?.$case === 'offer')
        void this.take(decodeStrict(LeaseOffer, reply.value.offer)).catch((error: unknown) => (this.failure = error));
      else if (reply?.$case === 'welcome') this.welcomed();
      else if (reply?.$case === 'reportAck') this.acked.get(reply.value.reportId)?.(reply.value);
    }
  }

  protected async take(offer: LeaseOffer): Promise<void> {
    const repeated = this.offers.get(offer.jobId)?.leaseId === offer.leaseId;
    this.offers.set(offer.jobId, offer);
    if (repeated || offer.spec?.labels['puppet'] === SILENT.puppet) return;
    await this.report(offer, { $case: 'accepted', value: {} });
    await this.report(offer, { $case: 'running', value: {} });
    await this.finish(offer, 50n);
  }

  protected async finish(offer: LeaseOffer, cumulativeMs: bigint): Promise<void> {
    await this.upload(offer);
    this.tick(offer, cumulativeMs);
    const artifacts = [PUPPET_ARTIFACT];
    await this.report(offer, { $case: 'exited', value: { exitCode: 0, reason: 'EXITED', cumulativeMs, artifacts } });
  }

  /** Resolves with what the scheduler decided. */
  report({ leaseId, leaseToken }: HeldLease, report: ReportBody): Promise<ReportAck> {
    const reportId = randomUUID();
    const answered = new Promise<ReportAck>((resolve) => this.acked.set(reportId, resolve));
    this.send({ $case: 'report', value: { reportId, leaseId, leaseToken, report } });
    return answered;
  }

  async upload({ leaseId, leaseToken }: HeldLease, content = ARTIFACT): Promise<void> {
    const sha256 = createHash('sha256').update(content).digest('hex');
    const header = { leaseId, leaseToken, sha256, bytes: BigInt(content.length) };
    const messages = [
      { header, chunk: Buffer.alloc(0) },
      { header: undefined, chunk: content },
    ];
    await this.client.uploadArtifact(
      (async function* () {
        yield* messages;
      })(),
      { deadlineMs: 10_000 },
    );
  }

  private tick({ leaseId, leaseToken }: LeaseOffer, cumulativeMs: bigint): void {
    const tick = { leaseId, leaseToken, cumulativeMs, agentTime: undefined, final: true };
    this.send({ $case: 'usage', value: this.signed([tick]) });
  }

  /** Ticks that follow those before, signed by the node's key; `other` is what an honest agent would not put in their place. */
  signed(ticks: UsageTick[], other: Partial<UsageBlock> = {}): SignedUsageBlock {
    const firstSequence = this.ticks + 1n;
    this.ticks += BigInt(ticks.length);
    const { nodeId, key } = this.node;
    const said = { nodeId, bootId: this.bootId, firstSequence, ticks, ...other };
    const block = Buffer.from(UsageBlock.encode(said).finish());
    return { block, signature: sign(null, block, key), generation: 1 };
  }
}
