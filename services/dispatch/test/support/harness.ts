import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import type { Caller } from '@daya/kernel';
import { loadConfig, type GrpcClient, type RunningService } from '@daya/nest';
import { DispatchServiceService } from '@daya/proto/dispatch';
import { JobSpec, LeaseOffer, type SignedLeaseOffer } from '@daya/proto/scheduler';
import {
  testClient,
  testEnvironment,
  testIdentity,
  testKafka,
  testRedis,
  type TestIdentity,
  type TestKafka,
  type TestRedis,
} from '@daya/testing';
import { configSchema } from '../../src/config';
import { startDispatch } from '../../src/service';
import { FakeRegistry, FakeScheduler } from './fake-peers';
import { TestAgent } from './test-agent';

let ids = 0;
/** A fresh id, in the spelling of the platform. */
export const anId = (): string => `0197a0a0-0000-7000-8000-${(ids += 1).toString(16).padStart(12, '0')}`;
export const eventId = (): string => randomUUID();

export const ORGANISATION = anId();
export const STRANGERS = anId();

export const aMember = (organisationId = ORGANISATION): Extract<Caller, { kind: 'member' }> => ({
  kind: 'member',
  organisationId,
  role: 'member',
  scopes: ['jobs:read', 'jobs:write'],
  keyId: 'key',
  operator: false,
});

/** Dispatch in this process, its peers faked over their protos, Redis and Kafka real. */
export class Harness {
  service!: RunningService;
  readonly folder = mkdtempSync(join(tmpdir(), 'daya-dispatch-'));
  private readonly agents: TestAgent[] = [];
  private readonly closers: (() => unknown)[] = [];

  private constructor(
    readonly identity: TestIdentity,
    readonly registry: FakeRegistry,
    readonly scheduler: FakeScheduler,
    readonly kafka: TestKafka,
    readonly redis: TestRedis,
    private readonly more: Readonly<Record<string, string>>,
  ) {}

  static async start(more: Readonly<Record<string, string>> = {}): Promise<Harness> {
    const identity = await testIdentity(['dispatch', 'registry', 'scheduler', 'gateway']);
    const [registry, scheduler] = [new FakeRegistry(identity), new FakeScheduler(identity)];
    await Promise.all([registry.peer.start(), scheduler.peer.start()]);
    const harness = new Harness(identity, registry, scheduler, testKafka(), testRedis(), more);
    await harness.boot();
    return harness;
  }

  /** Starts the service, also again after `service.stop()`: only the store's folder stays. */
  async boot(): Promise<void> {
    const { identity, kafka, redis, registry, scheduler } = this;
    const more = {
      AGENT_PORT: '0',
      ENROLMENT_PORT: '0',
      AGENT_ADDRESS: '127.0.0.1:7000',
      STORE_FOLDER: this.folder,
      DISPATCH_QUEUE_COUNT: '2',
      REGISTRY_URL: registry.peer.url,
      SCHEDULER_URL: scheduler.peer.url,
      DRAIN_MS: '3000',
      ...this.more,
    };
    const environment = testEnvironment({ service: 'dispatch', identity, kafka, redis, more });
    this.service = await startDispatch(loadConfig(configSchema, environment), { ownsProcess: false });
  }

  async stop(): Promise<void> {
    for (const agent of this.agents) agent.close();
    await this.service.stop();
    for (const close of this.closers) await close();
    this.registry.peer.stop();
    this.scheduler.peer.stop();
    this.identity.remove();
    rmSync(this.folder, { recursive: true, force: true });
  }

  port(listener: string): number {
    return this.service.ports[listener] ?? 0;
  }

  /** A node that registry knows, with its certificate; not connected yet. */
  async agent(nodeId = anId(), emulated = false): Promise<TestAgent> {
    const node = await this.identity.node(nodeId);
    this.registry.certificates.set(`${nodeId}/1`, { valid: true, publicKey: Buffer.from(node.publicKey), emulated });
    return this.again({ nodeId, node });
  }

  /** The same node with a stream of its own, at the present port. */
  again({ nodeId, node }: Pick<TestAgent, 'nodeId' | 'node'>): TestAgent {
    const agent = new TestAgent(nodeId, node, `127.0.0.1:${this.port('agents')}`);
    this.agents.push(agent);
    return agent;
  }

  /** A lease of a node that the scheduler offers. */
  offer(nodeId: string, offer: Partial<LeaseOffer> = {}, leaseToken = 1n): SignedLeaseOffer & { leaseId: string } {
    const leaseId = anId();
    const whole = LeaseOffer.fromPartial({
      organisationId: ORGANISATION,
      spec: JobSpec.fromPartial({}),
      ...offer,
      leaseId,
      nodeId,
      leaseToken,
    });
    const signed = {
      leaseId,
      nodeId,
      offer: Buffer.from(LeaseOffer.encode(whole).finish()),
      signature: Buffer.alloc(64, 1),
    };
    this.scheduler.offers.set(leaseId, signed);
    this.scheduler.leases.set(leaseId, { nodeId, leaseToken });
    return signed;
  }

  /** Rings the bell as the scheduler does. */
  async ring(leaseIds: readonly string[], queue = 'dispatch-00'): Promise<void> {
    const doorbell = new Queue(queue, { connection: this.connectRedis(), prefix: this.redis.prefix });
    await doorbell.add(
      'lease',
      { leaseIds },
      { jobId: `lease-${leaseIds[0]}-${eventId()}`, removeOnComplete: true, removeOnFail: 10 },
    );
  }

  connectRedis(): Redis {
    const redis = this.redis.connect();
    this.closers.push(() => redis.disconnect());
    return redis;
  }

  dispatch(): GrpcClient<typeof DispatchServiceService> {
    const url = `127.0.0.1:${this.port('grpc')}`;
    const client = testClient(DispatchServiceService, {
      identity: this.identity,
      from: 'gateway',
      url,
      audience: 'dispatch',
    });
    this.closers.push(() => client.onModuleDestroy());
    return client;
  }

  onStop(close: () => unknown): void {
    this.closers.push(close);
  }
}
