import { createHash, randomUUID, sign, type KeyObject } from 'node:crypto';
import { createClient, type GrpcClient } from '@daya/nest/client';
import { decodeStrict } from '@daya/proto';
import {
  AgentServiceService,
  type ConnectRequest,
  UsageBlock,
  type AgentFrame,
  type ServerFrame,
} from '@daya/proto/dispatch';
import type { Inventory } from '@daya/proto/registry';
import { LeaseOffer } from '@daya/proto/scheduler';
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

type Frame = NonNullable<AgentFrame['frame']>;

/**
 * A node without containers: speaks the agents' protocol over its certificate, takes what it is offered and reports it done
 * at once, with one artifact and a signed tick. Makes jobs finish within a second, so that a prepared world is cheap.
 */
export class PuppetAgent {
  readonly bootId = randomUUID();
  /** What it was offered, by job. */
  readonly offers = new Map<string, LeaseOffer>();
  private readonly client: GrpcClient<typeof AgentServiceService>;
  private frames = new PushQueue<ConnectRequest>();
  private abort = new AbortController();
  private readonly acked = new Map<string, () => void>();
  private timer: NodeJS.Timeout | undefined;
  private welcomed: () => void = () => undefined;
  private sequence = 0n;
  private ticks = 0n;
  /** Why it is no longer connected. */
  failure: unknown;

  constructor(
    private readonly node: PuppetNode,
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
      leases: [],
      draining: false,
    };
  }

  private beat(): void {
    this.sequence += 1n;
    this.send({ $case: 'heartbeat', value: { sequence: this.sequence, leases: [], draining: false } });
  }

  private send(frame: Frame): void {
    this.frames.push({ frame: { frame } });
  }

  private async read(replies: AsyncIterable<{ frame?: ServerFrame | undefined }>): Promise<void> {
    for await (const { frame } of replies) {
      const reply = frame?.frame;
      if (reply?.$case === 'offer')
        void this.take(decodeStrict(LeaseOffer, reply.value.offer)).catch((error: unknown) => (this.failure = error));
      else if (reply?.$case === 'welcome') this.welcomed();
      else if (reply?.$case === 'reportAck') this.acked.get(reply.value.reportId)?.();
    }
  }

  private async take(offer: LeaseOffer): Promise<void> {
    const repeated = this.offers.get(offer.jobId)?.leaseId === offer.leaseId;
    this.offers.set(offer.jobId, offer);
    if (repeated || offer.spec?.labels['puppet'] === SILENT.puppet) return;
    await this.report(offer, { $case: 'accepted', value: {} });
    await this.report(offer, { $case: 'running', value: {} });
    await this.upload(offer);
    this.tick(offer, 50n);
    const artifacts = [PUPPET_ARTIFACT];
    await this.report(offer, {
      $case: 'exited',
      value: { exitCode: 0, reason: 'EXITED', cumulativeMs: 50n, artifacts },
    });
  }

  private report(
    { leaseId, leaseToken }: LeaseOffer,
    report: Extract<Frame, { $case: 'report' }>['value']['report'],
  ): Promise<void> {
    const reportId = randomUUID();
    const answered = new Promise<void>((resolve) => this.acked.set(reportId, resolve));
    this.send({ $case: 'report', value: { reportId, leaseId, leaseToken, report } });
    return answered;
  }

  private async upload({ leaseId, leaseToken }: LeaseOffer): Promise<void> {
    const { sha256, bytes } = PUPPET_ARTIFACT;
    const messages = [
      { header: { leaseId, leaseToken, sha256, bytes }, chunk: Buffer.alloc(0) },
      { header: undefined, chunk: ARTIFACT },
    ];
    await this.client.uploadArtifact(
      (async function* () {
        yield* messages;
      })(),
      { deadlineMs: 10_000 },
    );
  }

  /** One final tick, signed by the node's key. */
  private tick({ leaseId, leaseToken }: LeaseOffer, cumulativeMs: bigint): void {
    this.ticks += 1n;
    const tick = { leaseId, leaseToken, cumulativeMs, agentTime: undefined, final: true };
    const { nodeId, key } = this.node;
    const block = Buffer.from(
      UsageBlock.encode({ nodeId, bootId: this.bootId, firstSequence: this.ticks, ticks: [tick] }).finish(),
    );
    this.send({ $case: 'usage', value: { block, signature: sign(null, block, key), generation: 1 } });
  }
}
