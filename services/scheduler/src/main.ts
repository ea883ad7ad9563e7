import { OutboxRelay, MessagePurge } from '@daya/messaging';
import { loadConfig, runService, type ServiceOptions } from '@daya/nest';
import { DataSources, migrate } from '@daya/postgres';
import { BlobServiceService, LeaseServiceService, SchedulerServiceService } from '@daya/proto/scheduler';
import { BullmqDoorbell } from './adapters/bullmq/bullmq-doorbell';
import { MIGRATIONS } from './adapters/postgres/migrations';
import { MarketMetrics } from './adapters/prometheus-market';
import { WriterElection } from './adapters/writer-election';
import { CONNECTIVITY_REPORTS, FUNDING_SWEEP, schedulerModule } from './app.module';
import { configSchema, migrateSchema, type Config } from './config';

export const schedulerService = (config: Config): ServiceOptions => ({
  name: 'scheduler',
  config,
  module: schedulerModule(config),
  grpc: [SchedulerServiceService, LeaseServiceService, BlobServiceService],
  startables: [MarketMetrics, OutboxRelay, WriterElection, FUNDING_SWEEP, CONNECTIVITY_REPORTS, MessagePurge],
  ready: async (app) => {
    await app.get(DataSources, { strict: false }).system.query('SELECT 1');
  },
  onStart: (app) => app.get(BullmqDoorbell, { strict: false }).open(),
  onStop: async (app) => {
    await app.get(BullmqDoorbell, { strict: false }).close();
    await app.get(DataSources, { strict: false }).close();
  },
});

async function main(command: string | undefined): Promise<void> {
  if (command === 'migrate') await migrate(loadConfig(migrateSchema, process.env).DATABASE_OWNER_URL, MIGRATIONS);
  else await runService(schedulerService(loadConfig(configSchema, process.env)));
}

if (require.main === module) {
  main(process.argv[2]).catch((error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exit(1);
  });
}
