import { randomUUID } from 'node:crypto';
import { ensureTopics, toWire, type Kafka } from '@daya/messaging';
import { loadConfig, type GrpcClient, type Member } from '@daya/nest';
import { BillingServiceService, TransferKind, type PricedQuote } from '@daya/proto/billing';
import {
  startTestService,
  testClient,
  testDatabase,
  testEnvironment,
  testIdentity,
  testKafka,
  type TestIdentity,
  type TestService,
} from '@daya/testing';
import { MIGRATIONS } from '../src/adapters/postgres/migrations';
import { configSchema } from '../src/config';
import { billingService } from '../src/main';
import type { MarketEvent } from './market-events';

type Client = GrpcClient<typeof BillingServiceService>;

const TOPICS = ['daya.scheduler.jobs', 'daya.scheduler.leases', 'daya.metering.usage', 'daya.billing.charges'];

export const memberOf = (organisationId: string, operator = false): Member => ({
  kind: 'member',
  organisationId,
  role: operator ? 'owner' : 'viewer',
  scopes: ['billing:read', 'billing:write'],
  keyId: 'k',
  operator,
});
export const OPERATOR = memberOf(randomUUID(), true);

/** The whole service in this process, on a database, keys and topics of its own. */
export interface RunningBilling {
  readonly identity: TestIdentity;
  readonly service: TestService;
  readonly kafka: Kafka;
  readonly scheduler: Client;
  readonly gateway: Client;
  stop(): Promise<void>;
}

export async function startBilling(): Promise<RunningBilling> {
  const identity = await testIdentity(['billing', 'scheduler', 'gateway']);
  const database = await testDatabase('billing', MIGRATIONS);
  const bus = testKafka();
  const kafka = bus.connect();
  await ensureTopics(
    kafka,
    TOPICS.map((name) => ({ name, partitions: 2 })),
  );
  const config = loadConfig(configSchema, testEnvironment({ service: 'billing', identity, database, kafka: bus }));
  const service = await startTestService(billingService(config));
  const client = (from: string): Client =>
    testClient(BillingServiceService, { identity, from, url: service.url, audience: 'billing' });
  const [scheduler, gateway] = [client('scheduler'), client('gateway')];
  const stop = async (): Promise<void> => {
    scheduler.onModuleDestroy();
    gateway.onModuleDestroy();
    await service.stop();
    await database.drop();
    identity.remove();
  };
  return { identity, service, kafka, scheduler, gateway, stop };
}

export async function depositAt({ gateway }: RunningBilling, organisationId: string, micros: bigint): Promise<void> {
  const reference = randomUUID();
  const amount = { asset: 'USD', amount: micros };
  const request = { requestId: reference, organisationId, amount, bankReference: reference };
  const { transfer } = await gateway.recordDeposit(request, { caller: OPERATOR });
  expect(transfer).toMatchObject({ kind: TransferKind.SINGLE, debitAccount: 'world:bank', amount });
}

/** A signed quote of one task that costs `micros` for the hour it may run. */
export async function quoteAt(
  { scheduler }: RunningBilling,
  organisationId: string,
  micros: bigint,
): Promise<PricedQuote> {
  const tasks = [{ priceMicrosPerGpuHour: micros, gpuMilli: 1_000, maxRunSeconds: 3_600, taskCount: 1 }];
  const { quote } = await scheduler.priceQuote({ requestId: randomUUID(), organisationId, tasks });
  if (quote === undefined) throw new Error('billing answered without a quote');
  return quote;
}

export async function publish(kafka: Kafka, events: readonly MarketEvent[]): Promise<void> {
  const publisher = kafka.producer();
  for (const { topic, version: aggregateVersion, ...event } of events) {
    await publisher.publish(topic, [
      toWire({ ...event, aggregateVersion, time: new Date(), source: 'test', headers: {} }),
    ]);
  }
  await publisher.stop();
}
