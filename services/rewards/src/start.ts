import { ensureTopics, Kafka, OutboxRelay } from '@daya/messaging';
import { runService, type RunningService } from '@daya/nest';
import { DataSources, requireSchema } from '@daya/postgres';
import { RewardsServiceService } from '@daya/proto/rewards';
import { EpochClockwork } from './adapters/epoch-clockwork';
import { INPUT_TOPICS, InputsConsumer } from './adapters/kafka/inputs.consumer';
import { MIGRATIONS } from './adapters/postgres/migrations';
import { EPOCHS_TOPIC } from './adapters/proto';
import { appModule } from './app.module';
import { loadParameters, type Config } from './config';

/** Boots the service. Throws when the parameters are wrong or the database is older than this build. */
export function startRewards(
  config: Config,
  options: { readonly ownsProcess?: boolean } = {},
): Promise<RunningService> {
  return runService({
    name: 'rewards',
    config,
    module: appModule(config, loadParameters(config)),
    grpc: [RewardsServiceService],
    startables: [OutboxRelay, InputsConsumer, EpochClockwork],
    ready: async (app) => {
      await app.get(DataSources).system.query('SELECT 1');
    },
    onStart: async (app) => {
      await requireSchema((await app.get(DataSources).open()).system, MIGRATIONS);
      await ensureTopics(
        app.get(Kafka),
        [...INPUT_TOPICS, EPOCHS_TOPIC].map((name) => ({ name })),
      );
    },
    onStop: (app) => app.get(DataSources).close(),
    ...options,
  });
}
