import type { DynamicModule } from '@nestjs/common';
import { Clock } from '@daya/kernel';
import { EventConsumer, Kafka, OutboxRelay, createKafka, MessagePurge } from '@daya/messaging';
import { LOGGER, provide, provideAs, provideValue, provideWith, token, type Logger } from '@daya/nest';
import { DataSources, PageTokens, ScopedTransactions, createDataSources, requireSchema } from '@daya/postgres';
import { Ed25519QuoteSigner } from './adapters/ed25519-quote-signer';
import { BillingController } from './adapters/grpc/billing.controller';
import { marketEventsConsumer } from './adapters/kafka/market-events.consumer';
import { MIGRATIONS } from './adapters/postgres/migrations';
import { PostgresQueries } from './adapters/postgres/postgres-queries';
import { DerivedInvoiceIds, PostgresStore } from './adapters/postgres/postgres-store';
import { FinishJob } from './application/finish-job';
import { PlaceHold } from './application/place-hold';
import { BillingQueries, InvoiceIds, QuoteSigner, Store } from './application/ports';
import { PriceQuote } from './application/price-quote';
import { ReadBilling } from './application/read-billing';
import { RecordDeposit } from './application/record-deposit';
import { RecordLease } from './application/record-lease';
import { RecordUsage } from './application/record-usage';
import { ReleaseHold } from './application/release-hold';
import type { Config } from './config';
import type { FeePolicy } from './domain/quote';

const FEE_POLICY = token<FeePolicy>('FEE_POLICY');

const useCases = [
  provide(PriceQuote, [QuoteSigner, FEE_POLICY]),
  provide(PlaceHold, [Store, QuoteSigner, Clock]),
  provide(ReleaseHold, [Store, Clock]),
  provide(RecordDeposit, [Store]),
  provide(RecordLease, [InvoiceIds, Clock]),
  provide(RecordUsage, [InvoiceIds, Clock]),
  provide(FinishJob, [InvoiceIds, Clock]),
  provide(ReadBilling, [BillingQueries]),
];

const postgres = ({ DATABASE_URL: url, DATABASE_SYSTEM_URL: systemUrl }: Config) => [
  provideWith(DataSources, async () => {
    const sources = await createDataSources({ url, systemUrl, applicationName: 'billing' }).open();
    await requireSchema(sources.system, MIGRATIONS);
    return sources;
  }, []),
  provide(ScopedTransactions, [DataSources]),
  provideWith(MessagePurge, (sources: DataSources, log: Logger) => new MessagePurge(sources.system, log), [
    DataSources,
    LOGGER,
  ]),
  provideAs(Store, PostgresStore, [ScopedTransactions]),
  provideAs(BillingQueries, PostgresQueries, [ScopedTransactions]),
  provideAs(InvoiceIds, DerivedInvoiceIds, []),
];

const messaging = ({ KAFKA_BROKERS: brokers, KAFKA_PREFIX: prefix }: Config) => [
  provideWith(Kafka, (logger: Logger) => createKafka({ brokers, prefix, clientId: 'billing', logger }), [LOGGER]),
  provideWith(OutboxRelay, (sources: DataSources, kafka: Kafka) => new OutboxRelay({ db: sources.system, kafka }), [
    DataSources,
    Kafka,
  ]),
  provideWith(
    EventConsumer,
    (kafka: Kafka, sources: DataSources, recordLease: RecordLease, recordUsage: RecordUsage, finishJob: FinishJob) =>
      marketEventsConsumer(kafka, sources.system, { recordLease, recordUsage, finishJob }),
    [Kafka, DataSources, RecordLease, RecordUsage, FinishJob],
  ),
];

class BillingModule {}

/** The only place that knows every part. */
export function billingModule(config: Config): DynamicModule {
  const signer = new Ed25519QuoteSigner(config.IDENTITY_KEY_FILE);
  return {
    module: BillingModule,
    controllers: [BillingController],
    providers: [
      ...useCases,
      ...postgres(config),
      ...messaging(config),
      provideValue(QuoteSigner, signer),
      provideValue(PageTokens, PageTokens.of(config.IDENTITY_KEY_FILE)),
      provideValue(FEE_POLICY, { feeBps: config.FEE_BPS, version: config.FEE_POLICY_VERSION }),
    ],
  };
}
