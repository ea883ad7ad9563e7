import { buildSync } from 'esbuild';
import type { BuildOptions } from 'esbuild';

/** One file that runs without node_modules, with the settings of build.mjs. */
export function bundle(entry: Pick<BuildOptions, 'entryPoints' | 'stdin'>, outfile: string): void {
  buildSync({
    ...entry,
    outfile,
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'cjs',
    conditions: ['@daya/source'],
    external: ['cpu-features'],
    loader: { '.node': 'empty' },
    logLevel: 'error',
  });
}
