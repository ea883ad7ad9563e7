// `npm run rewards -- compute|root|verify …`: bundles the command from source, so it works in any checkout after `npm ci`.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

const esbuild = await import('esbuild').catch(() => {
  process.stderr.write('The packages are not installed. Type: npm ci --ignore-scripts\n');
  process.exit(2);
});

const folder = await mkdtemp(join(tmpdir(), 'daya-rewards-'));
const bundle = join(folder, 'rewards.cjs');
try {
  await esbuild.build({
    entryPoints: [join(ROOT, 'services/rewards/src/cli.ts')],
    outfile: bundle,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    conditions: ['@daya/source'],
    logLevel: 'error',
  });
  // npm runs scripts in the repository's root; paths are meant from where the person typed.
  const cwd = (process.env.npm_lifecycle_event === 'rewards' && process.env.INIT_CWD) || process.cwd();
  process.exitCode =
    spawnSync(process.execPath, [bundle, ...process.argv.slice(2)], { stdio: 'inherit', cwd }).status ?? 2;
} finally {
  await rm(folder, { recursive: true, force: true });
}
