// A test build of the agent that lies about its usage; `build.mjs` never touches it and the shipped bundle has none of it.
import { PinoLog } from '../src/adapters/files/pino-log';
import { loadConfig } from '../src/config';
import { stopOnSignals } from '../src/signals';
import { startAgent } from '../src/start-agent';
import { startKeeper } from '../src/start-keeper';
import { lyingSeams } from './support/lies';

const RUNNING_EARLY_MS = 5_000;
const EXIT_LATE_MS = 10_000;

async function main(): Promise<void> {
  const [, script = '', command, engineType] = process.argv;
  if (command === 'keeper') return startKeeper(engineType);
  const config = loadConfig(process.env);
  const lies = {
    usageFactor: 2,
    runningEarlyMs: RUNNING_EARLY_MS * config.TIMER_SCALE,
    exitLateMs: EXIT_LATE_MS * config.TIMER_SCALE,
  };
  stopOnSignals(
    await startAgent(config, new PinoLog(config.LOG_LEVEL), [process.execPath, script, 'keeper'], lyingSeams(lies)),
  );
}

main().catch((error: unknown) => {
  process.stderr.write(`${String(error)}\n`);
  process.exit(1);
});
