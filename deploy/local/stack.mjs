// Starts the servers that single tests need while you work, prints the variable to set, and stops them on Ctrl-C.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './lib/command.mjs';
import { startInfra, stopOnSignals } from './infra/index.mjs';

const runDir = join(ROOT, `.daya/stack-${process.pid}`);
mkdirSync(runDir, { recursive: true });
const infra = await startInfra({ runDir, durable: false, log: (line) => process.stderr.write(`${line}\n`) });
stopOnSignals(infra);
const { postgres, redis, kafka } = infra;
writeFileSync(join(runDir, 'stack.json'), JSON.stringify({ runDir, postgres, redis, kafka }), { mode: 0o600 });
process.stdout.write(`export DAYA_TEST_STACK=${join(runDir, 'stack.json')}\n`);
setInterval(() => undefined, 60_000);
