import type { DynamicModule } from '@nestjs/common';
import { Clock, timersAt, type Timers } from '@daya/kernel';
import { BatchConsumer, EventConsumer, Kafka, OutboxRelay, createKafka } from '@daya/messaging';
import { LOGGER, provide, provideAs, provideValue, provideWith, token, type Logger } from '@daya/nest';
import { DataSources, PageTokens, ScopedTransactions, createDataSources, requireSchema } from '@daya/postgres';
import { Ed25519BlockReader } from './adapters/ed25519-block-reader';
import { MeteringController } from './adapters/grpc/metering.controller';
import { marketEventsConsumer } from './adapters/kafka/market-events.consumer';
import { ticksConsumer } from './adapters/kafka/ticks.consumer';
import { LeaseSweeper } from './adapters/lease-sweeper';
import { MIGRATIONS } from './adapters/postgres/migrations';
import { PostgresQueries } from './adapters/postgres/postgres-queries';
import { PostgresStore } from './adapters/postgres/postgres-store';
import { BlockReader, MeteringQueries, Store } from './application/ports';
import { ReadMetering } from './application/read-metering';
import { RecordLease } from './application/record-lease';
import { RecordNode } from './application/record-node';
import { RecordTicks } from './application/record-ticks';
import { SettleLease } from './application/settle-lease';
import { SweepLeases } from './application/sweep-leases';
import type { Config } from './config';

const TIMERS = token<Timers>('TIMERS');

const useCases = [
  provide(SettleLease, [Clock, TIMERS]),
  provide(RecordLease, [SettleLease, Clock]),
  provide(RecordTicks, [BlockReader, SettleLease]),
  provide(RecordNode, [RecordTicks]),
  provide(SweepLeases, [Store, SettleLease, Clock]),
  provide(ReadMetering, [MeteringQueries]),
];

const postgres = ({ DATABASE_URL: url, DATABASE_SYSTEM_URL: systemUrl }: Config) => [
  provideWith(DataSources, async () => {
    const sources = await createDataSources({ url, systemUrl, applicationName: 'metering' }).open();
    await requireSchema(sources.system, MIGRATIONS);
    return sources;
  }, []),
  provide(ScopedTransactions, [DataSources]),
  provideAs(Store, PostgresStore, [ScopedTransactions]),
  provideAs(MeteringQueries, PostgresQueries, [ScopedTransactions]),
];

const background = ({ KAFKA_BROKERS: brokers, KAFKA_PREFIX: prefix }: Config) => [
  provideWith(Kafka, (logger: Logger) => createKafka({ brokers, prefix, clientId: 'metering', logger }), [LOGGER]),
  provideWith(OutboxRelay, (sources: DataSources, kafka: Kafka) => new OutboxRelay({ db: sources.system, kafka }), [
    DataSources,
    Kafka,
  ]),
  provideWith(
    EventConsumer,
    (kafka: Kafka, sources: DataSources, recordLease: RecordLease, recordNode: RecordNode) =>
      marketEventsConsumer(kafka, sources.system, { recordLease, recordNode }),
    [Kafka, DataSources, RecordLease, RecordNode],
  ),
  provideWith(
    BatchConsumer,
    (kafka: Kafka, sources: DataSources, record: RecordTicks) => ticksConsumer(kafka, sources.system, record),
    [Kafka, DataSources, RecordTicks],
  ),
  provideWith(
    LeaseSweeper,
    (sweep: SweepLeases, sources: DataSources, log: Logger) => new LeaseSweeper(sweep, sources.system, log),
    [SweepLeases, DataSources, LOGGER],
  ),
];

class MeteringModule {}

/** The only place that knows every part. */
export function meteringModule(config: Config): DynamicModule {
  return {
    module: MeteringModule,
    controllers: [MeteringController],
    providers: [
      ...useCases,
      ...postgres(config),
      ...background(config),
      provideAs(BlockReader, Ed25519BlockReader, []),
      provideValue(PageTokens, PageTokens.of(config.IDENTITY_KEY_FILE)),
      provideValue(TIMERS, timersAt(config.TIMER_SCALE)),
    ],
  };
}
