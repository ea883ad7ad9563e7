// Bundles the agent into one file that runs from a folder without node_modules.
// `--lying` bundles the agent that lies (test/lying-agent.ts) instead, for the tests of metering.
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const here = dirname(fileURLToPath(import.meta.url));
const lying = process.argv.includes('--lying');

await build({
  entryPoints: [join(here, lying ? 'test/lying-agent.ts' : 'src/main.ts')],
  outfile: join(here, lying ? 'bundle/test-lying-agent.js' : 'bundle/agent.js'),
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'cjs',
  // dockerode can speak over SSH; the agent does not, and the native parts of that are not there.
  conditions: ['@daya/source'],
  external: ['cpu-features'],
  loader: { '.node': 'empty' },
  logLevel: 'warning',
});
