import { EventConsumer, OutboxRelay } from '@daya/messaging';
import { loadConfig, runService, type RunningService } from '@daya/nest';
import { DataSources, migrate } from '@daya/postgres';
import { BillingServiceService } from '@daya/proto/billing';
import { MIGRATIONS } from './adapters/postgres/migrations';
import { billingModule } from './app.module';
import { configSchema, migrateSchema, type Config } from './config';

export function startBilling(config: Config, options: { readonly ownsProcess?: boolean } = {}): Promise<RunningService> {
  return runService({
    name: 'billing',
    config,
    module: billingModule(config),
    grpc: [BillingServiceService],
    startables: [OutboxRelay, EventConsumer],
    ready: async (app) => {
      await app.get(DataSources, { strict: false }).system.query('SELECT 1');
    },
    onStop: (app) => app.get(DataSources, { strict: false }).close(),
    ...options,
  });
}

async function main(command: string | undefined): Promise<void> {
  if (command === 'migrate') await migrate(loadConfig(migrateSchema, process.env).DATABASE_OWNER_URL, MIGRATIONS);
  else await startBilling(loadConfig(configSchema, process.env));
}

if (require.main === module) {
  main(process.argv[2]).catch((error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exit(1);
  });
}
