import { EventConsumer, OutboxRelay, MessagePurge } from '@daya/messaging';
import { loadConfig, runService, type ServiceOptions } from '@daya/nest';
import { DataSources, migrate } from '@daya/postgres';
import { OfferServiceService, OrganisationServiceService, ProviderServiceService } from '@daya/proto/registry';
import { OwnTopics } from './adapters/kafka/own-topics';
import { MIGRATIONS } from './adapters/postgres/migrations';
import { Sweeper } from './adapters/sweeper';
import { registryModule } from './app.module';
import { bootstrapOperator } from './bootstrap';
import { bootstrapSchema, configSchema, migrateSchema, type Config } from './config';

export const registryService = (config: Config): ServiceOptions => ({
  name: 'registry',
  config,
  module: registryModule(config),
  grpc: [OrganisationServiceService, ProviderServiceService, OfferServiceService],
  startables: [OwnTopics, OutboxRelay, EventConsumer, Sweeper, MessagePurge],
  ready: async (app) => {
    await app.get(DataSources, { strict: false }).system.query('SELECT 1');
  },
  onStop: (app) => app.get(DataSources, { strict: false }).close(),
});

async function main(command: string | undefined): Promise<void> {
  const { env } = process;
  if (command === 'migrate') await migrate(loadConfig(migrateSchema, env).DATABASE_OWNER_URL, MIGRATIONS);
  else if (command === 'bootstrap-operator')
    process.stdout.write(`${await bootstrapOperator(loadConfig(bootstrapSchema, env))}\n`);
  else if (command === undefined) await runService(registryService(loadConfig(configSchema, env)));
  else throw new Error(`unknown command ${command}: there are migrate and bootstrap-operator`);
}

if (require.main === module) {
  main(process.argv[2]).catch((error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exit(1);
  });
}
