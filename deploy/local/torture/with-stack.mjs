// Real servers for the service tests, for as long as `work` runs; those of DAYA_TEST_STACK when it names some.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../lib/command.mjs';
import { startInfra, stopOnSignals } from '../infra/index.mjs';

export async function withStack(name, log, work) {
  if (process.env.DAYA_TEST_STACK) return work({});
  const runDir = join(ROOT, '.daya/torture', `${name}-stack-${process.pid}`);
  mkdirSync(runDir, { recursive: true });
  const infra = await startInfra({ runDir, durable: false, log });
  stopOnSignals(infra);
  try {
    const stack = join(runDir, 'stack.json');
    const { postgres, redis, kafka } = infra;
    writeFileSync(stack, JSON.stringify({ runDir, postgres, redis, kafka }), { mode: 0o600 });
    return await work({ DAYA_TEST_STACK: stack });
  } finally {
    await infra.stop();
    rmSync(runDir, { recursive: true, force: true, maxRetries: 3 });
  }
}
