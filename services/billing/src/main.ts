import { EventConsumer, OutboxRelay, MessagePurge } from '@daya/messaging';
import { loadConfig, runService, type ServiceOptions } from '@daya/nest';
import { DataSources, migrate } from '@daya/postgres';
import { BillingServiceService } from '@daya/proto/billing';
import { MIGRATIONS } from './adapters/postgres/migrations';
import { billingModule } from './app.module';
import { configSchema, migrateSchema, type Config } from './config';

export const billingService = (config: Config): ServiceOptions => ({
  name: 'billing',
  config,
  module: billingModule(config),
  grpc: [BillingServiceService],
  startables: [OutboxRelay, EventConsumer, MessagePurge],
  ready: async (app) => {
    await app.get(DataSources, { strict: false }).system.query('SELECT 1');
  },
  onStop: (app) => app.get(DataSources, { strict: false }).close(),
});

async function main(command: string | undefined): Promise<void> {
  if (command === 'migrate') await migrate(loadConfig(migrateSchema, process.env).DATABASE_OWNER_URL, MIGRATIONS);
  else await runService(billingService(loadConfig(configSchema, process.env)));
}

if (require.main === module) {
  main(process.argv[2]).catch((error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exit(1);
  });
}
