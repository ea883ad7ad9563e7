import type { DynamicModule } from '@nestjs/common';
import { Clock, IdGenerator, timersAt } from '@daya/kernel';
import { createKafka, EventConsumer, Kafka, OutboxRelay, MessagePurge } from '@daya/messaging';
import {
  createClient,
  Identity,
  loadTls,
  LOGGER,
  provide,
  provideAs,
  provideValue,
  provideWith,
  token,
  type Logger,
} from '@daya/nest';
import { createDataSources, DataSources, PageTokens, requireSchema, ScopedTransactions } from '@daya/postgres';
import { SchedulerServiceService } from '@daya/proto/scheduler';
import { HmacSecrets } from './adapters/crypto/hmac-secrets';
import { publicKeyOf } from './adapters/crypto/jwks-key';
import { PkiCertificates } from './adapters/crypto/pki-certificates';
import { OfferController } from './adapters/grpc/offer.controller';
import { OrganisationController } from './adapters/grpc/organisation.controller';
import { ProviderController } from './adapters/grpc/provider.controller';
import { OwnTopics } from './adapters/kafka/own-topics';
import { schedulerEvents } from './adapters/kafka/scheduler-events.consumer';
import { readCanarySpec, SchedulerCanaries, type SchedulerClient } from './adapters/peers/scheduler-canaries';
import { MIGRATIONS } from './adapters/postgres/migrations';
import { PostgresQueries } from './adapters/postgres/postgres-queries';
import { PostgresStore } from './adapters/postgres/postgres-store';
import { Sweeper } from './adapters/sweeper';
import { PrometheusAlarms } from './adapters/prometheus-alarms';
import { AdmitNodes } from './application/admit-nodes';
import { AnnounceNodes } from './application/announce-nodes';
import {
  Alarms,
  Canaries,
  Making,
  NodeCertificates,
  Policy,
  RegistryQueries,
  Secrets,
  Store,
} from './application/ports';
import { RecordCanary } from './application/record-canary';
import { RecordLeaseEnd } from './application/record-lease-end';
import { CanaryBell } from './application/report-inventory';
import type { Config } from './config';
import { useCases } from './use-cases.providers';

const SCHEDULER = token<SchedulerClient>('SCHEDULER');
/** A refused node may try again after this, however fast the timers run. */
const CANARY_RETRY = { ms: 300_000, floorMs: 30_000 };

const postgres = ({ DATABASE_URL: url, DATABASE_SYSTEM_URL: systemUrl }: Config) => [
  provideWith(DataSources, async () => {
    const sources = await createDataSources({ url, systemUrl, applicationName: 'registry' }).open();
    await requireSchema(sources.system, MIGRATIONS);
    return sources;
  }, []),
  provide(ScopedTransactions, [DataSources]),
  provideAs(Store, PostgresStore, [ScopedTransactions, IdGenerator]),
  provideAs(RegistryQueries, PostgresQueries, [ScopedTransactions]),
  provideWith(MessagePurge, (sources: DataSources, log: Logger) => new MessagePurge(sources.system, log), [
    DataSources,
    LOGGER,
  ]),
];

const messaging = ({ KAFKA_BROKERS: brokers, KAFKA_PREFIX: prefix }: Config) => [
  provide(OwnTopics, [Kafka, LOGGER]),
  provideWith(Kafka, (logger: Logger) => createKafka({ brokers, prefix, clientId: 'registry', logger }), [LOGGER]),
  provideWith(OutboxRelay, (sources: DataSources, kafka: Kafka) => new OutboxRelay({ db: sources.system, kafka }), [
    DataSources,
    Kafka,
  ]),
  provideWith(
    EventConsumer,
    (
      kafka: Kafka,
      sources: DataSources,
      ids: IdGenerator,
      recordCanary: RecordCanary,
      recordLeaseEnd: RecordLeaseEnd,
    ) => schedulerEvents({ kafka, db: sources.system, ids, recordCanary, recordLeaseEnd }),
    [Kafka, DataSources, IdGenerator, RecordCanary, RecordLeaseEnd],
  ),
];

function policyOf({ ALLOW_EMULATED_GPUS, TIMER_SCALE, JWKS_FILE }: Config): Policy {
  return {
    allowEmulatedGpus: ALLOW_EMULATED_GPUS,
    canaryRetryMs: Math.max(CANARY_RETRY.ms * TIMER_SCALE, CANARY_RETRY.floorMs),
    canaryPollMs: timersAt(TIMER_SCALE).sweepMs,
    schedulerPublicKey: publicKeyOf(JWKS_FILE, 'scheduler'),
  };
}

const outside = (config: Config) => [
  provideValue(Policy, policyOf(config)),
  provideValue(Secrets, new HmacSecrets(config.API_KEY_PEPPER)),
  provideAs(Alarms, PrometheusAlarms, [LOGGER]),
  provide(Making, [Secrets, IdGenerator, Clock]),
  provideWith(NodeCertificates, () => PkiCertificates.load(config.CA_CERTIFICATE_FILE, config.CA_KEY_FILE), []),
  provideWith(
    SCHEDULER,
    (identity: Identity) => {
      const tls = { ca: loadTls(config.TLS_FOLDER, 'registry').ca };
      return createClient(SchedulerServiceService, { url: config.SCHEDULER_URL, audience: 'scheduler', identity, tls });
    },
    [Identity],
  ),
  provideWith(Canaries, (scheduler) => new SchedulerCanaries(scheduler, readCanarySpec(config.CANARY_JOB_FILE)), [
    SCHEDULER,
  ]),
  provide(Sweeper, [AdmitNodes, AnnounceNodes, LOGGER]),
  provideWith(CanaryBell, (sweeper: Sweeper) => sweeper, [Sweeper]),
  provideValue(PageTokens, PageTokens.of(config.IDENTITY_KEY_FILE)),
];

class RegistryModule {}

/** The only place that knows every part; the use cases stand in a list of their own. */
export function registryModule(config: Config): DynamicModule {
  return {
    module: RegistryModule,
    controllers: [OrganisationController, ProviderController, OfferController],
    providers: [...useCases, ...postgres(config), ...messaging(config), ...outside(config)],
  };
}
