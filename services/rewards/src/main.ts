import { loadConfig } from '@daya/nest';
import { migrate } from '@daya/postgres';
import { MIGRATIONS } from './adapters/postgres/migrations';
import { configSchema } from './config';
import { startRewards } from './start';

async function main(): Promise<void> {
  if (process.argv[2] === 'migrate') {
    const ownerUrl = process.env['DATABASE_OWNER_URL'];
    if (ownerUrl === undefined) throw new Error('DATABASE_OWNER_URL is missing');
    await migrate(ownerUrl, MIGRATIONS);
    return;
  }
  await startRewards(loadConfig(configSchema, process.env));
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
});
