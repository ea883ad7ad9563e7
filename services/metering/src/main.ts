import { BatchConsumer, EventConsumer, OutboxRelay } from '@daya/messaging';
import { loadConfig, runService, type RunningService } from '@daya/nest';
import { DataSources, migrate } from '@daya/postgres';
import { MeteringServiceService } from '@daya/proto/metering';
import { LeaseSweeper } from './adapters/lease-sweeper';
import { MIGRATIONS } from './adapters/postgres/migrations';
import { meteringModule } from './app.module';
import { configSchema, migrateSchema, type Config } from './config';

export function startMetering(
  config: Config,
  options: { readonly ownsProcess?: boolean } = {},
): Promise<RunningService> {
  return runService({
    name: 'metering',
    config,
    module: meteringModule(config),
    grpc: [MeteringServiceService],
    startables: [OutboxRelay, EventConsumer, BatchConsumer, LeaseSweeper],
    ready: async (app) => {
      await app.get(DataSources, { strict: false }).system.query('SELECT 1');
    },
    onStop: (app) => app.get(DataSources, { strict: false }).close(),
    ...options,
  });
}

async function main(command: string | undefined): Promise<void> {
  if (command === 'migrate') await migrate(loadConfig(migrateSchema, process.env).DATABASE_OWNER_URL, MIGRATIONS);
  else await startMetering(loadConfig(configSchema, process.env));
}

if (require.main === module) {
  main(process.argv[2]).catch((error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exit(1);
  });
}
