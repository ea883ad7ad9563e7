import { join } from 'node:path';
import { writeFileSync } from 'node:fs';
import { randomUUID } from 'node:crypto';
import type { Caller } from '@daya/kernel';
import {
  createClient,
  Identity,
  loadConfig,
  loadTls,
  runService,
  type CallOptions,
  type GrpcClient,
  type RunningService,
} from '@daya/nest';
import {
  OfferServiceService,
  OrganisationKind,
  OrganisationServiceService,
  ProviderKind,
  ProviderServiceService,
} from '@daya/proto/registry';
import { createDataSources, type DataSources } from '@daya/postgres';
import {
  testDatabase,
  testIdentity,
  testKafka,
  type TestDatabase,
  type TestIdentity,
  type TestKafka,
} from '@daya/testing';
import { MIGRATIONS } from '../src/adapters/postgres/migrations';
import { configSchema } from '../src/config';
import { SCOPES } from '../src/domain/api-key';
import { PLATFORM_ORGANISATION_ID } from '../src/domain/organisation';
import { registryService } from '../src/main';
import { FakeScheduler, startFakeScheduler } from './fake-scheduler';

// A registry with its database, Kafka and certificates takes seconds to start, more on a busy machine.
jest.setTimeout(90_000);

const SERVICES = ['registry', 'gateway', 'dispatch', 'scheduler', 'rewards', 'billing'];
export const PEPPER = 'a pepper of at least thirty-two characters';

export type Member = Extract<Caller, { kind: 'member' }>;

export const aMember = (organisationId: string, overrides: Partial<Member> = {}): Member => ({
  kind: 'member',
  organisationId,
  role: 'owner',
  scopes: [...SCOPES],
  keyId: randomUUID(),
  operator: false,
  ...overrides,
});

export const OPERATOR = aMember(PLATFORM_ORGANISATION_ID, { operator: true });

/** A registry on real Postgres and Kafka, reached over real gRPC; beside it a scheduler that only knows canaries. */
export class TestRegistry {
  private readonly clients = new Map<string, { onModuleDestroy(): void }>();

  private constructor(
    readonly db: TestDatabase,
    readonly rows: DataSources,
    readonly kafka: TestKafka,
    readonly identity: TestIdentity,
    readonly scheduler: FakeScheduler,
    private readonly schedulerService: RunningService,
    private readonly service: RunningService,
  ) {}

  static async start(overrides: Record<string, string> = {}): Promise<TestRegistry> {
    const identity = await testIdentity(SERVICES);
    const db = await testDatabase('registry', MIGRATIONS);
    const kafka = testKafka();
    const scheduler = new FakeScheduler();
    const schedulerService = await startFakeScheduler(scheduler, identity);
    const canary = join(identity.folder, 'canary.json');
    writeFileSync(
      canary,
      JSON.stringify({ image: { digest: `sha256:${'a'.repeat(64)}` }, command: ['true'], maxRunSeconds: 30 }),
    );
    const env = {
      ...identity.env('registry'),
      ...db.env,
      ...kafka.env,
      ...{
        GRPC_PORT: '0',
        ADMIN_PORT: '0',
        BIND_ADDRESS: '127.0.0.1',
        LOG_LEVEL: 'fatal',
        DRAIN_MS: '1000',
        TIMER_SCALE: '0.2',
      },
      API_KEY_PEPPER: PEPPER,
      ...{ CA_CERTIFICATE_FILE: join(identity.folder, 'ca.pem'), CA_KEY_FILE: join(identity.folder, 'ca.key.pem') },
      ...{
        CANARY_JOB_FILE: canary,
        ALLOW_EMULATED_GPUS: 'true',
        SCHEDULER_URL: `127.0.0.1:${schedulerService.ports['grpc']}`,
      },
      ...overrides,
    };
    const service = await runService({ ...registryService(loadConfig(configSchema, env)), ownsProcess: false });
    const rows = await createDataSources({ url: db.url, systemUrl: db.systemUrl, applicationName: 'test' }).open();
    return new TestRegistry(db, rows, kafka, identity, scheduler, schedulerService, service);
  }

  async stop(): Promise<void> {
    for (const client of this.clients.values()) client.onModuleDestroy();
    await this.service.stop();
    await this.schedulerService.stop();
    await this.rows.close();
    await this.db.drop();
    this.identity.remove();
  }

  /** One connection per service that calls, closed with the registry. */
  private client<D extends Parameters<typeof createClient>[0]>(definition: D, service: string): GrpcClient<D> {
    const name = `${service} ${Object.values(definition)[0]?.path}`;
    const made = this.clients.get(name) ?? this.connect(definition, service);
    this.clients.set(name, made);
    return made as GrpcClient<D>;
  }

  private connect<D extends Parameters<typeof createClient>[0]>(definition: D, service: string): GrpcClient<D> {
    const { IDENTITY_KEY_FILE: keyFile, JWKS_FILE: jwksFile } = this.identity.env(service);
    const identity = new Identity({ service, keyFile, jwksFile });
    const url = `127.0.0.1:${this.service.ports['grpc']}`;
    const tls = { ca: loadTls(this.identity.folder, service).ca };
    return createClient(definition, { url, audience: 'registry', identity, tls });
  }

  organisations(service = 'gateway') {
    return this.client(OrganisationServiceService, service);
  }

  providers(service = 'gateway') {
    return this.client(ProviderServiceService, service);
  }

  offers(service = 'gateway') {
    return this.client(OfferServiceService, service);
  }

  /** Rows, seen by the system role. */
  sql<T>(query: string, values: unknown[] = []): Promise<T[]> {
    return this.rows.system.query(query, values);
  }

  /** Runs `work` while another transaction holds what `query` locks; `isWaitedFor`: somebody else wants it. */
  async whileLocked(
    query: string,
    values: unknown[],
    work: (isWaitedFor: () => Promise<boolean>) => Promise<void>,
  ): Promise<void> {
    const holder = this.rows.system.createQueryRunner();
    try {
      await holder.startTransaction();
      await holder.query(query, values);
      const isWaitedFor = async (): Promise<boolean> =>
        (await this.sql(`SELECT 1 FROM pg_locks WHERE NOT granted AND locktype IN ('tuple', 'transactionid')`)).length >
        0;
      await work(isWaitedFor);
    } finally {
      await holder.rollbackTransaction();
      await holder.release();
    }
  }

  async anOrganisation(displayName = 'Acme', kind = OrganisationKind.PROVIDER) {
    const client = this.organisations();
    const made = await client.createOrganisation(
      { requestId: randomUUID(), displayName, kind, ownerEmail: 'owner@example.org' },
      as(OPERATOR),
    );
    return { ...made, owner: aMember(made.organisation!.organisationId) };
  }

  async aProvider(displayName = 'Acme') {
    const organisation = await this.anOrganisation(displayName);
    const client = this.providers();
    const request = { requestId: randomUUID(), displayName, kind: ProviderKind.INDIVIDUAL, rewardAddress: '' };
    const { provider } = await client.createProvider(request, as(organisation.owner));
    return { ...organisation, providerId: provider!.providerId };
  }
}

export const as = (caller: Member): CallOptions => ({ caller, deadlineMs: 20_000 });

/** What a call was refused with: status code name, reason and the violated fields. */
export async function refusalOf(call: Promise<unknown>): Promise<{ reason: string; code: number; fields: string[] }> {
  try {
    await call;
  } catch (error) {
    const { reason, code, violations } = error as {
      reason: string;
      code: number;
      violations: { field: string; reason: string }[];
    };
    if (reason === undefined) throw error;
    return { reason, code, fields: violations.map((violation) => `${violation.field}: ${violation.reason}`) };
  }
  throw new Error('the call was not refused');
}
