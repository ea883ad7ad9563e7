import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DynamicModule } from '@nestjs/common';
import { Clock, IdGenerator, timersAt } from '@daya/kernel';
import { createKafka, Kafka, OutboxRelay, MessagePurge } from '@daya/messaging';
import {
  createClient,
  Identity,
  LOGGER,
  provide,
  provideAs,
  provideValue,
  provideWith,
  token,
  type Logger,
} from '@daya/nest';
import { createDataSources, DataSources, PageTokens, requireSchema, ScopedTransactions } from '@daya/postgres';
import { BillingServiceService } from '@daya/proto/billing';
import { OrganisationServiceService, ProviderServiceService } from '@daya/proto/registry';
import { AesSecretBox } from './adapters/aes-secret-box';
import { AsyncTraceKeeper } from './adapters/async-trace-keeper';
import { Background } from './adapters/background';
import { BullmqDoorbell } from './adapters/bullmq/bullmq-doorbell';
import { BlobController } from './adapters/grpc/blob.controller';
import { LeaseController } from './adapters/grpc/lease.controller';
import { SchedulerController } from './adapters/grpc/scheduler.controller';
import { marketProjection } from './adapters/kafka/market-projection';
import { LocalJobFeed } from './adapters/local-job-feed';
import { GrpcBilling } from './adapters/peers/grpc-billing';
import { GrpcNodeRegistry, GrpcProjects } from './adapters/peers/grpc-registry';
import { PostgresJobQueries } from './adapters/postgres/job-queries';
import { PostgresMarketQueries } from './adapters/postgres/market-queries';
import { MIGRATIONS } from './adapters/postgres/migrations';
import { PostgresStore } from './adapters/postgres/postgres-store';
import { MarketMetrics } from './adapters/prometheus-market';
import { SchedulerKey } from './adapters/scheduler-key';
import { WriterElection } from './adapters/writer-election';
import { CheckBlob, RegisterBlob } from './application/blobs';
import { CancelJob } from './application/cancel-job';
import { Engine, EngineSteps } from './application/engine';
import { FundJob } from './application/fund-job';
import { GetLeaseOffers } from './application/get-lease-offers';
import { GetQuote, QuoteMaker } from './application/get-quote';
import { LoadMarket } from './application/load-market';
import { MarketState } from './application/market-state';
import { PersistRenewals } from './application/persist-renewals';
import { PlaceTasks } from './application/place-tasks';
import {
  Billing,
  Doorbell,
  JobFeed,
  JobQueries,
  MarketQueries,
  NodeRegistry,
  Projects,
  SecretBox,
  Store,
  TraceKeeper,
} from './application/ports';
import { ExplainJob, ReadJobs } from './application/read-jobs';
import { RenewLeases } from './application/renew-leases';
import { ReportConnectivity } from './application/report-connectivity';
import { ReportLeases } from './application/report-leases';
import { SubmissionReader, SubmitJob } from './application/submit-job';
import { SubmitCanary } from './application/submit-canary';
import { SweepFunding } from './application/sweep-funding';
import { SweepLeases } from './application/sweep-leases';
import { WatchDatabase } from './application/watch-database';
import type { Config } from './config';

export const FUNDING_SWEEP = token<Background>('FUNDING_SWEEP');
export const CONNECTIVITY_REPORTS = token<Background>('CONNECTIVITY_REPORTS');

const CONNECTIVITY_EVERY_MS = 500;

const useCases = [
  provide(QuoteMaker, [MarketState, Billing, IdGenerator]),
  provide(GetQuote, [Store, Projects, QuoteMaker, SecretBox]),
  provide(FundJob, [Store, Billing, MarketState, IdGenerator, TraceKeeper]),
  provide(SubmissionReader, [Store, Projects, QuoteMaker, SecretBox]),
  provide(SubmitJob, [Store, SubmissionReader, FundJob, MarketState]),
  provide(SubmitCanary, [Store, MarketState, SecretBox, IdGenerator]),
  provide(CancelJob, [Store, MarketState, Doorbell]),
  provide(ReadJobs, [JobQueries, JobFeed]),
  provide(ExplainJob, [ReadJobs, MarketState]),
  provide(GetLeaseOffers, [JobQueries, SecretBox, MarketState]),
  provide(ReportLeases, [Store, MarketState]),
  provide(RenewLeases, [Store, MarketState]),
  provide(RegisterBlob, [Store]),
  provide(CheckBlob, [JobQueries]),
  provide(SweepFunding, [MarketQueries, FundJob, MarketState]),
  provide(ReportConnectivity, [MarketQueries, NodeRegistry, MarketState, IdGenerator]),
];

const engine = [
  provide(LoadMarket, [MarketQueries, MarketState]),
  provide(PlaceTasks, [Store, MarketState, Doorbell, IdGenerator]),
  provide(SweepLeases, [Store, MarketState, Doorbell]),
  provide(PersistRenewals, [Store, MarketState]),
  provide(WatchDatabase, [MarketQueries, MarketState, Doorbell]),
  provide(EngineSteps, [LoadMarket, PlaceTasks, SweepLeases, PersistRenewals, WatchDatabase]),
  provide(Engine, [MarketState, EngineSteps]),
];

const postgres = ({ DATABASE_URL: url, DATABASE_SYSTEM_URL: systemUrl }: Config) => [
  provideWith(DataSources, async () => {
    const sources = await createDataSources({ url, systemUrl, applicationName: 'scheduler' }).open();
    await requireSchema(sources.system, MIGRATIONS);
    return sources;
  }, []),
  provide(ScopedTransactions, [DataSources]),
  provideAs(Store, PostgresStore, [ScopedTransactions, JobFeed]),
  provideAs(JobQueries, PostgresJobQueries, [ScopedTransactions]),
  provideWith(MarketQueries, ({ system }: DataSources) => new PostgresMarketQueries(system), [DataSources]),
  provideWith(MessagePurge, ({ system }: DataSources, log: Logger) => new MessagePurge(system, log), [
    DataSources,
    LOGGER,
  ]),
];

const messaging = (config: Config) => [
  provideWith(
    Kafka,
    (logger: Logger) =>
      createKafka({ brokers: config.KAFKA_BROKERS, prefix: config.KAFKA_PREFIX, clientId: 'scheduler', logger }),
    [LOGGER],
  ),
  provideWith(OutboxRelay, ({ system: db }: DataSources, kafka: Kafka) => new OutboxRelay({ db, kafka }), [
    DataSources,
    Kafka,
  ]),
  provideWith(
    BullmqDoorbell,
    (log: Logger) =>
      new BullmqDoorbell(
        { redisUrl: config.REDIS_URL, prefix: config.BULLMQ_PREFIX, queueCount: config.DISPATCH_QUEUE_COUNT },
        log,
      ),
    [LOGGER],
  ),
  provideWith(Doorbell, (doorbell: BullmqDoorbell) => doorbell, [BullmqDoorbell]),
  provideAs(JobFeed, LocalJobFeed, []),
  provideAs(TraceKeeper, AsyncTraceKeeper, []),
];

const peers = (config: Config) => {
  const ca = readFileSync(join(config.TLS_FOLDER, 'ca.pem'));
  const to = (audience: string, url: string, identity: Identity) => ({ url, audience, identity, tls: { ca } });
  return [
    provideWith(
      Billing,
      (identity: Identity) =>
        new GrpcBilling(createClient(BillingServiceService, to('billing', config.BILLING_URL, identity))),
      [Identity],
    ),
    provideWith(
      Projects,
      (identity: Identity) =>
        new GrpcProjects(createClient(OrganisationServiceService, to('registry', config.REGISTRY_URL, identity))),
      [Identity],
    ),
    provideWith(
      NodeRegistry,
      (identity: Identity) =>
        new GrpcNodeRegistry(createClient(ProviderServiceService, to('registry', config.REGISTRY_URL, identity))),
      [Identity],
    ),
  ];
};

const background = (config: Config) => {
  const { sweepMs } = timersAt(config.TIMER_SCALE);
  return [
    provide(MarketMetrics, [MarketState]),
    provideWith(
      WriterElection,
      ({ system: db }: DataSources, lead: Engine, kafka: Kafka, state: MarketState, load: LoadMarket, log: Logger) =>
        new WriterElection({
          db,
          engine: lead,
          projection: () => marketProjection(kafka, db, state),
          refresh: () => load.execute(),
          refreshEveryMs: sweepMs,
          log,
        }),
      [DataSources, Engine, Kafka, MarketState, LoadMarket, LOGGER],
    ),
    provideWith(
      FUNDING_SWEEP,
      (sweep: SweepFunding, log: Logger) =>
        new Background('the funding sweep', sweepMs / 2, () => sweep.execute(), log),
      [SweepFunding, LOGGER],
    ),
    provideWith(
      CONNECTIVITY_REPORTS,
      (report: ReportConnectivity, log: Logger) =>
        new Background('telling the registry', CONNECTIVITY_EVERY_MS, (signal) => report.execute(signal), log),
      [ReportConnectivity, LOGGER],
    ),
  ];
};

class SchedulerModule {}

/** The only place that knows every part. */
export function schedulerModule(config: Config): DynamicModule {
  const key = new SchedulerKey(config.IDENTITY_KEY_FILE);
  return {
    module: SchedulerModule,
    controllers: [SchedulerController, LeaseController, BlobController],
    providers: [
      ...useCases,
      ...engine,
      ...postgres(config),
      ...messaging(config),
      ...peers(config),
      ...background(config),
      provideWith(
        MarketState,
        (clock: Clock) => new MarketState(timersAt(config.TIMER_SCALE), clock, config.TIMER_SCALE),
        [Clock],
      ),
      provideValue(SecretBox, new AesSecretBox(config.SECRETS_KEY)),
      provideValue(SchedulerKey, key),
      provideValue(PageTokens, PageTokens.of(config.IDENTITY_KEY_FILE)),
    ],
  };
}
