import { randomBytes, randomUUID } from 'node:crypto';
import { ensureTopics, type Kafka } from '@daya/messaging';
import { loadConfig, type GrpcClient } from '@daya/nest';
import { toTimestamp } from '@daya/proto';
import {
  LeaseOffer,
  LeaseServiceService,
  SchedulerServiceService,
  BlobServiceService,
  type LeaseReportOutcome,
  type Job,
  type JobSpec,
  type LeaseReport,
} from '@daya/proto/scheduler';
import {
  eventually,
  startTestService,
  testClient,
  testDatabase,
  testEnvironment,
  testIdentity,
  testKafka,
  testRedis,
  type TestDatabase,
  type TestIdentity,
  type TestKafka,
  type TestRedis,
  type TestService,
} from '@daya/testing';
import { Client as Postgres } from 'pg';
import { MIGRATIONS } from '../src/adapters/postgres/migrations';
import { configSchema } from '../src/config';
import { schedulerService } from '../src/main';
import { announceNode, announceOffer } from './announcements';
import { aSpec, finished, heartbeat, NO_REQUIREMENTS, type Member, type TestGpuNode } from './messages';
import { FakeBilling, FakeRegistry } from './peers';

/** The whole scheduler in this process on real servers, between a fake billing and a fake registry. */
export class SchedulerHarness {
  service!: TestService;
  /** New nodes stand here and jobs want to run here: each test has a market of its own. */
  region = 'start';
  jobs!: GrpcClient<typeof SchedulerServiceService>;
  leases!: GrpcClient<typeof LeaseServiceService>;
  blobs!: GrpcClient<typeof BlobServiceService>;
  canaries!: GrpcClient<typeof SchedulerServiceService>;
  private readonly openClients: { onModuleDestroy(): void }[] = [];
  private readonly agents = new Map<
    string,
    { readonly held: Map<string, LeaseOffer>; timer: NodeJS.Timeout | undefined }
  >();

  private constructor(
    readonly identity: TestIdentity,
    readonly database: TestDatabase,
    readonly bus: TestKafka,
    readonly redis: TestRedis,
    readonly kafka: Kafka,
    readonly billing: FakeBilling,
    readonly registry: FakeRegistry,
    /** As the superuser: tests look at everything. */
    readonly sql: Postgres,
    private readonly more: Readonly<Record<string, string>>,
  ) {}

  static async start(more: Readonly<Record<string, string>> = {}): Promise<SchedulerHarness> {
    const identity = await testIdentity(['scheduler', 'billing', 'registry', 'gateway', 'dispatch']);
    const database = await testDatabase('scheduler', MIGRATIONS);
    const bus = testKafka();
    const kafka = bus.connect();
    await ensureTopics(
      kafka,
      ['daya.registry.nodes', 'daya.registry.offers', 'daya.scheduler.jobs', 'daya.scheduler.leases'].map((name) => ({
        name,
        partitions: 1,
      })),
    );
    const sql = new Postgres({ connectionString: database.superUrl });
    await sql.connect();
    const peers = [await new FakeBilling(identity).start(), await new FakeRegistry(identity).start()] as const;
    const harness = new SchedulerHarness(identity, database, bus, testRedis(), kafka, ...peers, sql, more);
    await harness.boot();
    return harness;
  }

  /** Starts the service, or starts it again on what it left in the database. */
  async boot(more: Readonly<Record<string, string>> = {}): Promise<void> {
    this.service = await this.startOne(more);
    Object.assign(this, this.clientsOf(this.service));
    await eventually(() => this.leases.renewLeases({ heartbeats: [heartbeat(randomUUID())] }));
  }

  /** Clients of one running scheduler: the gateway's, the registry's, dispatch's. */
  clientsOf(service: TestService): Pick<SchedulerHarness, 'jobs' | 'canaries' | 'leases' | 'blobs'> {
    const client = <D extends Parameters<typeof testClient>[0]>(definition: D, from: string): GrpcClient<D> => {
      const made = testClient(definition, { identity: this.identity, from, url: service.url, audience: 'scheduler' });
      this.openClients.push(made);
      return made;
    };
    return {
      jobs: client(SchedulerServiceService, 'gateway'),
      canaries: client(SchedulerServiceService, 'registry'),
      leases: client(LeaseServiceService, 'dispatch'),
      blobs: client(BlobServiceService, 'dispatch'),
    };
  }

  startOne(more: Readonly<Record<string, string>> = {}): Promise<TestService> {
    const peers = { BILLING_URL: this.billing.url, REGISTRY_URL: this.registry.url, SECRETS_KEY: SECRETS_KEY };
    const { identity, database, bus: kafka, redis } = this;
    const env = testEnvironment({
      service: 'scheduler',
      identity,
      database,
      kafka,
      redis,
      more: { ...peers, ...this.more, ...more },
    });
    return startTestService(schedulerService(loadConfig(configSchema, env)));
  }

  async shutDown(): Promise<void> {
    for (const client of this.openClients.splice(0)) client.onModuleDestroy();
    await this.service.stop();
  }

  async stop(): Promise<void> {
    for (const { timer } of this.agents.values()) clearInterval(timer);
    await this.shutDown();
    this.billing.stop();
    this.registry.stop();
    await this.sql.end();
    await this.database.drop();
    this.identity.remove();
  }

  customer(micros: bigint): Member {
    const organisationId = randomUUID();
    const projectId = randomUUID();
    this.billing.wallets.set(organisationId, micros);
    this.registry.projects.set(projectId, organisationId);
    return {
      kind: 'member',
      organisationId,
      projectId,
      role: 'member',
      scopes: ['jobs:read', 'jobs:write'],
      keyId: 'k',
      operator: false,
    };
  }

  /** A node in the market: announced by the registry, heard of once. */
  async node(
    options: Partial<{ gpus: number; priceMicros: bigint; admitted: boolean; region: string }> = {},
  ): Promise<TestGpuNode> {
    const { gpus = 1, priceMicros = 1_000_000n, admitted = true, region = this.region } = options;
    const node: TestGpuNode = {
      nodeId: randomUUID(),
      offerId: randomUUID(),
      gpuUuids: Array.from({ length: gpus }, () => `GPU-${randomBytes(8).toString('hex')}`),
      version: 1n,
    };
    const parties = { providerId: randomUUID(), organisationId: randomUUID() };
    await announceNode(this.kafka, node, { admitted, region, parties });
    if (admitted) await announceOffer(this.kafka, node, priceMicros, region, parties);
    await eventually(async () => {
      const known = await this.sql.query('SELECT 1 FROM node_view WHERE node_id = $1', [node.nodeId]);
      const offered = await this.sql.query('SELECT 1 FROM offer_view WHERE offer_id = $1', [node.offerId]);
      expect(known.rowCount! + offered.rowCount!).toBe(admitted ? 2 : 1);
    });
    await this.beat(node);
    this.agents.set(node.nodeId, { held: new Map(), timer: undefined });
    this.speak(node);
    return node;
  }

  /** Heartbeats that name what the node runs, until it is silenced. Every node begins so. */
  speak(node: TestGpuNode): void {
    const agent = this.agents.get(node.nodeId)!;
    agent.timer ??= setInterval(() => void this.beat(node, [...agent.held.values()]).catch(() => undefined), BEAT_MS);
  }

  silence(node: TestGpuNode): void {
    const agent = this.agents.get(node.nodeId)!;
    clearInterval(agent.timer);
    agent.timer = undefined;
  }

  beat(node: TestGpuNode, leases: readonly { leaseId: string; leaseToken: bigint }[] = [], agentStarted = false) {
    return this.leases.renewLeases({ heartbeats: [heartbeat(node.nodeId, leases, agentStarted)] });
  }

  async report(
    offer: LeaseOffer,
    body: NonNullable<LeaseReport['report']>,
    reportId: string = randomUUID(),
  ): Promise<{ outcome: LeaseReportOutcome; reason: string }> {
    const { leaseId, leaseToken, nodeId } = offer;
    const report = { reportId, leaseId, leaseToken, nodeId, receiveTime: toTimestamp(new Date()), report: body };
    const { results } = await this.leases.reportLeases({ reports: [report] });
    return results[0]!;
  }

  /** The offer that the job's task has now, as dispatch would fetch it. */
  offered(member: Member, jobId: string, taskIndex = 0): Promise<LeaseOffer> {
    return eventually(async () => {
      const job = await this.job(member, jobId);
      const run = job.tasks[taskIndex]?.runs.at(-1);
      expect(run?.state).toBe('RUN_STATE_OFFERED');
      const { offers } = await this.leases.getLeaseOffers({ leaseIds: [run!.leaseId] });
      expect(offers).toHaveLength(1);
      return LeaseOffer.decode(offers[0]!.offer);
    });
  }

  async job(member: Member, jobId: string): Promise<Job> {
    return (await this.jobs.getJob({ jobId }, { caller: member, deadlineMs: 20_000 })).job!;
  }

  /** Begins a market that no earlier node or job is part of. */
  moveOn(): void {
    this.region = `r-${randomBytes(6).toString('hex')}`;
  }

  beatBy(leases: SchedulerHarness['leases'], node: TestGpuNode) {
    return leases.renewLeases({ heartbeats: [heartbeat(node.nodeId)] });
  }

  submission(member: Member) {
    return { requestId: randomUUID(), projectId: member.projectId, quoteId: '', spec: this.aSpec() };
  }

  async submit(member: Member, spec: Partial<JobSpec> = {}, requestId: string = randomUUID()): Promise<Job> {
    return (
      await this.jobs.submitJob(
        { requestId, projectId: member.projectId, quoteId: '', spec: this.aSpec(spec) },
        { caller: member, deadlineMs: SUBMIT_DEADLINE_MS },
      )
    ).job!;
  }

  aSpec(more: Partial<JobSpec> = {}): JobSpec {
    return aSpec({ ...more, requirements: { ...NO_REQUIREMENTS, regions: [this.region], ...more.requirements } });
  }

  async accept(offer: LeaseOffer): Promise<void> {
    expect((await this.report(offer, { $case: 'accepted', value: {} })).outcome).toBe('LEASE_REPORT_OUTCOME_APPLIED');
  }

  async run(offer: LeaseOffer): Promise<void> {
    await this.accept(offer);
    this.agents.get(offer.nodeId)?.held.set(offer.leaseId, offer);
    expect((await this.report(offer, { $case: 'running', value: {} })).outcome).toBe('LEASE_REPORT_OUTCOME_APPLIED');
  }

  async exit(
    offer: LeaseOffer,
    reason = 'EXITED',
    exitCode = 0,
    paths: readonly string[] = [],
  ): Promise<{ outcome: LeaseReportOutcome; reason: string }> {
    const artifacts = paths.map((path) => ({ path, bytes: 3n, sha256: 'ab'.repeat(32) }));
    this.agents.get(offer.nodeId)?.held.delete(offer.leaseId);
    return this.report(offer, { $case: 'exited', value: { exitCode, reason, cumulativeMs: 100n, artifacts } });
  }

  /** Running and exited of all these, in one batch; what was withdrawn meanwhile is told so and comes again. */
  async finishAll(leases: readonly Pick<LeaseOffer, 'leaseId' | 'leaseToken' | 'nodeId'>[]): Promise<void> {
    if (leases.length > 0) await this.leases.reportLeases({ reports: finished(leases) });
  }

  /** Types of the outbox events of one key, with their versions. */
  async events(key: string): Promise<string[]> {
    const { rows } = await this.sql.query<{ type: string; aggregate_version: string }>(
      'SELECT type, aggregate_version FROM outbox WHERE key = $1 ORDER BY position',
      [key],
    );
    return rows.map((row) => `${row.aggregate_version} ${row.type.replace('daya.scheduler.v1.', '')}`);
  }
}

const BEAT_MS = 250;
const SUBMIT_DEADLINE_MS = 20_000;

/** A busy machine takes its time to boot a service. */
export const BOOT_TIMEOUT_MS = 120_000;
export const SECRETS_KEY = '5f'.repeat(32);
