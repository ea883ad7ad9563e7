// Protos in, TypeScript out: lint, generate, descriptor image, authz table, one re-export per package. Nothing of it is committed.
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { authzTable } from './authz-table.mjs';

const HERE = dirname(fileURLToPath(import.meta.url));
const ROOT = join(HERE, '..', '..');
const GEN = join(HERE, 'src', 'gen');
const IMAGE = 'libs/proto/image.binpb';

function buf(...args) {
  try {
    return execFileSync(join(ROOT, 'node_modules', '.bin', 'buf'), args, {
      cwd: ROOT,
      maxBuffer: 64 << 20,
      encoding: 'utf8',
    });
  } catch (error) {
    process.stderr.write(`buf ${args.join(' ')} failed\n${error.stdout ?? ''}${error.stderr ?? error.message}`);
    process.exit(1);
  }
}

/** Generated modules under `folder`, as import paths relative to src/gen. */
function modulesUnder(folder) {
  return readdirSync(join(GEN, folder), { recursive: true })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => `./${join(folder, name).replace(/\.ts$/, '')}`)
    .sort();
}

const reExport = (modules) => modules.map((path) => `export * from '${path}';\n`).join('');

/** One file per Daya package, `google` for what rpc answers and well-known types need, `grpc` for health and reflection. */
function writePackages() {
  const packages = {
    google: reExport([
      ...modulesUnder('google/rpc'),
      ...modulesUnder('google/protobuf').filter((path) => !path.endsWith('/descriptor')),
    ]),
    grpc: [
      `export * as health from './grpc/health/v1/health';\n`,
      `export * as reflectionV1 from './grpc/reflection/v1/reflection';\n`,
      `export * as reflectionV1alpha from './grpc/reflection/v1alpha/reflection';\n`,
      `export { FileDescriptorProto } from './google/protobuf/descriptor';\n`,
    ].join(''),
  };
  for (const name of readdirSync(join(GEN, 'daya'))) packages[name] = reExport(modulesUnder(`daya/${name}`));
  for (const [name, source] of Object.entries(packages)) writeFileSync(join(GEN, `${name}.ts`), source);
  return Object.keys(packages);
}

function requireExports(names) {
  const { exports } = JSON.parse(readFileSync(join(HERE, 'package.json'), 'utf8'));
  const missing = names.filter((name) => exports[`./${name}`] === undefined);
  if (missing.length === 0) return;
  process.stderr.write(`${relative(ROOT, join(HERE, 'package.json'))} lacks exports for: ${missing.join(', ')}\n`);
  process.exit(1);
}

buf('lint');
buf('generate');
buf('build', '--as-file-descriptor-set', '--exclude-source-info', '-o', IMAGE);
const { source, problems } = authzTable(JSON.parse(buf('build', IMAGE, '-o', '-#format=json')));
if (problems.length > 0) {
  process.stderr.write(
    `authz options (daya/options/v1/authz.proto):\n${problems.map((line) => `  ${line}\n`).join('')}`,
  );
  process.exit(1);
}
writeFileSync(join(GEN, 'authz.ts'), source);
requireExports(writePackages());
