import type { DynamicModule } from '@nestjs/common';
import { Clock, IdGenerator } from '@daya/kernel';
import { Kafka, OutboxRelay, createKafka, purgeMessages } from '@daya/messaging';
import { LOGGER, provide, provideAs, provideValue, provideWith, token } from '@daya/nest';
import { DataSources, PageTokens, ScopedTransactions, createDataSources } from '@daya/postgres';
import { EpochClockwork, EpochWork } from './adapters/epoch-clockwork';
import { FolderPublication } from './adapters/files/folder-publication';
import { RewardsController } from './adapters/grpc/rewards.controller';
import { InputsConsumer } from './adapters/kafka/inputs.consumer';
import { KafkaInputPositions } from './adapters/kafka/kafka-input-positions';
import { PostgresEpochQueries } from './adapters/postgres/postgres-epoch-queries';
import { PostgresEpochStore } from './adapters/postgres/postgres-epoch-store';
import { CloseEpoch } from './application/close-epoch';
import { EpochQueries, EpochStore, InputPositions, Publication } from './application/ports';
import { PublishEpochs } from './application/publish-epochs';
import { ReadEpochs } from './application/read-epochs';
import type { Config } from './config';
import type { Parameters } from './domain/parameters';

export const PARAMETERS = token<Parameters>('PARAMETERS');

class AppModule {}

/** The only place that knows every part. */
export function appModule(config: Config, parameters: Parameters): DynamicModule {
  const sources = createDataSources({
    url: config.DATABASE_URL,
    systemUrl: config.DATABASE_SYSTEM_URL,
    applicationName: 'rewards',
  });
  const kafka = createKafka({ brokers: config.KAFKA_BROKERS, prefix: config.KAFKA_PREFIX, clientId: 'rewards' });
  return {
    module: AppModule,
    controllers: [RewardsController],
    providers: [
      provideValue(PARAMETERS, parameters),
      provideValue(DataSources, sources),
      provideValue(Kafka, kafka),
      provideValue(Publication, new FolderPublication(config.PUBLICATION_FOLDER)),
      provideValue(PageTokens, PageTokens.of(config.IDENTITY_KEY_FILE)),
      provide(ScopedTransactions, [DataSources]),
      provideAs(EpochStore, PostgresEpochStore, [ScopedTransactions, IdGenerator]),
      provideAs(EpochQueries, PostgresEpochQueries, [ScopedTransactions]),
      provideAs(InputPositions, KafkaInputPositions, [Kafka, ScopedTransactions, Clock]),
      provide(CloseEpoch, [EpochStore, InputPositions, Clock, PARAMETERS]),
      provide(PublishEpochs, [EpochStore, Publication]),
      provide(ReadEpochs, [EpochQueries]),
      provide(InputsConsumer, [Kafka, DataSources, LOGGER]),
      provideWith(OutboxRelay, () => new OutboxRelay({ db: sources.system, kafka }), []),
      provideWith(EpochWork, workOf, [CloseEpoch, PublishEpochs, EpochStore, DataSources]),
      provide(EpochClockwork, [EpochWork, PARAMETERS, Clock, LOGGER]),
    ],
  };
}

const workOf = (close: CloseEpoch, publish: PublishEpochs, store: EpochStore, { system }: DataSources): EpochWork => ({
  close,
  publish,
  store,
  forget: () => Promise.all([store.forgetHistory(), purgeMessages(system)]),
});
