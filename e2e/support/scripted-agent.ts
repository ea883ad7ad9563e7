import { sign } from 'node:crypto';
import type { HeldLease, LeaseOffer } from '@daya/proto/scheduler';
import { PuppetAgent, type Frame, type PuppetNode, type Reply } from '../hostile/puppet-agent';
import { World } from '../hostile/world';
import { inventoryOf, type Enrolled } from '../hostile/world-fleet';

/** A job with this label runs until `end` is called. */
export const HELD = { puppet: 'held' } as const;

/** A node under the test's hands: keeps what it is told to keep, and says what no honest agent would. */
export class ScriptedAgent extends PuppetAgent {
  readonly heard: Reply[] = [];
  private readonly running = new Map<string, LeaseOffer>();

  constructor(node: PuppetNode) {
    super(node, inventoryOf(node.nodeId));
  }

  get nodeId(): string {
    return this.node.nodeId;
  }

  say(frame: Frame): void {
    this.send(frame);
  }

  /** This node's key over whatever. */
  signature(bytes: Uint8Array): Buffer {
    return sign(null, bytes, this.node.key);
  }

  isRunning(jobId: string): boolean {
    return this.running.has(jobId);
  }

  /** Ends a held job as an honest agent does. */
  async end(jobId: string, cumulativeMs: bigint): Promise<void> {
    const offer = this.running.get(jobId);
    if (offer === undefined) throw new Error(`${jobId} does not run here`);
    await this.finish(offer, cumulativeMs);
    this.running.delete(jobId);
  }

  protected override held(): HeldLease[] {
    return [...this.running.values()].map(({ leaseId, leaseToken }) => ({ leaseId, leaseToken }));
  }

  protected override hear(reply: Reply): void {
    this.heard.push(reply);
  }

  protected override async take(offer: LeaseOffer): Promise<void> {
    if (offer.spec?.labels['puppet'] !== HELD.puppet) return super.take(offer);
    if (this.offers.get(offer.jobId)?.leaseId === offer.leaseId) return;
    this.offers.set(offer.jobId, offer);
    await this.report(offer, { $case: 'accepted', value: {} });
    this.running.set(offer.jobId, offer);
    await this.report(offer, { $case: 'running', value: {} });
  }
}

/** A market in a region of its own, whose nodes are scripted. */
export class ScriptedWorld extends World {
  private readonly agents: ScriptedAgent[] = [];

  /** The node whose GPUs are for rent. */
  async rented(): Promise<ScriptedAgent> {
    return this.agentOf(await this.node());
  }

  /** One more node that is connected and admitted; nothing of it is for rent. */
  async another(): Promise<ScriptedAgent> {
    const node = await this.newNode();
    await this.play(node);
    return this.agentOf(node);
  }

  override close(): void {
    for (const agent of this.agents) agent.stop();
    super.close();
  }

  protected override puppet(node: PuppetNode): PuppetAgent {
    const agent = new ScriptedAgent(node);
    this.agents.push(agent);
    return agent;
  }

  private agentOf({ nodeId }: Pick<Enrolled, 'nodeId'>): ScriptedAgent {
    const agent = this.agents.find((each) => each.nodeId === nodeId);
    if (agent === undefined) throw new Error(`nobody plays ${nodeId}`);
    return agent;
  }
}
