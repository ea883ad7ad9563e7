// Bundles the agent into one file that runs from a folder without node_modules.
import { build } from 'esbuild';
import { fileURLToPath } from 'node:url';
import { dirname, join } from 'node:path';

const here = dirname(fileURLToPath(import.meta.url));

await build({
  entryPoints: [join(here, 'src/main.ts')],
  outfile: join(here, 'bundle/agent.js'),
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'cjs',
  conditions: ['@daya/source'],
  // dockerode's remote connections over SSH are not used; its optional native parts are not there.
  external: ['cpu-features'],
  loader: { '.node': 'empty' },
  logLevel: 'warning',
});
