import { loadConfig } from '@daya/nest';
import { configSchema } from './config';
import { startDispatch } from './service';

async function main(): Promise<void> {
  await startDispatch(loadConfig(configSchema, process.env));
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
});
