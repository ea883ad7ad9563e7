// Emits CommonJS from a package's TypeScript (src/ and migrations/) into dist/ with swc. Types are checked by `tsc -b`.
import { cp, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { transformFile } from '@swc/core';

const OPTIONS = {
  sourceMaps: 'inline',
  module: { type: 'commonjs', strict: true, ignoreDynamic: true },
  jsc: {
    target: 'es2022',
    parser: { syntax: 'typescript', decorators: true },
    transform: { legacyDecorator: true, decoratorMetadata: false },
    keepClassNames: true,
  },
};

async function* filesUnder(folder) {
  for (const entry of await readdir(folder, { withFileTypes: true }).catch(() => [])) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* filesUnder(path);
    else yield path;
  }
}

async function emit(source, target) {
  await mkdir(dirname(target), { recursive: true });
  if (!source.endsWith('.ts')) return cp(source, target);
  const { code } = await transformFile(source, { ...OPTIONS, swcrc: false, filename: source });
  return writeFile(target.replace(/\.ts$/, '.js'), code);
}

await rm('dist', { recursive: true, force: true });
for (const [folder, out] of [
  ['src', 'dist'],
  ['migrations', 'dist/migrations'],
]) {
  for await (const file of filesUnder(folder)) {
    if (/\.test\.ts$/.test(file)) continue;
    await emit(file, join(out, relative(folder, file)));
  }
}
