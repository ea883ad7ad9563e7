// Mutants of the domain code, drawn by the seed.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../lib/command.mjs';
import { drawAcross } from './draw.mjs';
import { mutantsOf } from './mutators.mjs';

/** Folder of domain code → the tests of its package: those without servers, then those with. */
function testsOf(folder) {
  const [kind, name] = folder.split('/');
  const unit = { project: name, files: `${kind}/${name}/src/` };
  // The kernel's rules are also what the services' own unit tests stand on.
  if (name === 'kernel') return [unit, { project: 'registry', files: 'services/registry/src/' }];
  return [unit, { project: name, files: `services/${name}/test/`, servers: true }];
}

function domainFolders() {
  const services = readdirSync(join(ROOT, 'services')).map((name) => `services/${name}/src/domain`);
  return ['libs/kernel/src', ...services].filter((folder) => filesOf(folder).length > 0);
}

function filesOf(folder) {
  try {
    return readdirSync(join(ROOT, folder)).filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'));
  } catch {
    return [];
  }
}

/** `count` mutants across all packages; the same for the same seed and sources. */
export function drawMutants(count, seed) {
  const all = domainFolders().flatMap((folder) =>
    filesOf(folder).flatMap((name) => {
      const file = `${folder}/${name}`;
      return mutantsOf(file, readFileSync(join(ROOT, file), 'utf8')).map((mutant) => ({ ...mutant, folder }));
    }),
  );
  const idOf = ({ file, start, new: replacement }) => `${file}:${start}:${replacement}`;
  const drawn = drawAcross(all, count, seed, idOf, ({ folder }) => folder);
  return { all: all.length, drawn: drawn.map((mutant) => ({ ...mutant, tests: testsOf(mutant.folder) })) };
}
