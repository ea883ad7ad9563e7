// Plants imports that must not pass, one by one, and fails when the linter lets one through: a wall that nobody tests is
// a drawing. The text is linted in the place of an existing file; nothing is written.
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { createProjectGraphAsync } from 'nx/src/devkit-exports.js';
import { ESLint } from 'eslint';
import { ROOT } from './lib/command.mjs';

/** An existing source file of a layer, whose place the planted text takes. */
const fileIn = (folder) => {
  const path = join(ROOT, folder);
  const name =
    existsSync(path) && readdirSync(path).find((entry) => entry.endsWith('.ts') && !entry.endsWith('.test.ts'));
  if (!name) throw new Error(`${folder} has no source file to plant in`);
  return join(path, name);
};

const service = (layer) => fileIn(`services/registry/src/${layer}`);
const kernel = fileIn('libs/kernel/src');

const PLANTED = [
  ['pg in domain', service('domain'), `import { Client } from 'pg'; export const x = Client;`, 'no-restricted-imports'],
  [
    'domain -> application',
    service('domain'),
    `import { x } from '../application/ports'; export const y = x;`,
    'no-restricted-imports',
  ],
  [
    'domain -> adapters',
    service('domain'),
    `import { x } from '../adapters/rows'; export const y = x;`,
    'no-restricted-imports',
  ],
  [
    'application -> adapters',
    service('application'),
    `import { x } from '../adapters/rows'; export const y = x;`,
    'no-restricted-imports',
  ],
  [
    'typeorm in application',
    service('application'),
    `import { DataSource } from 'typeorm'; export const y = DataSource;`,
    'no-restricted-imports',
  ],
  [
    'service -> service by name',
    fileIn('services/registry/src'),
    `import * as billing from '@daya/billing'; export const y = billing;`,
    '@nx/enforce-module-boundaries',
  ],
  [
    'service -> service by path',
    fileIn('services/registry/src'),
    `import * as billing from '../../billing/src/main'; export const y = billing;`,
    '@nx/enforce-module-boundaries',
  ],
  ['kernel -> lib', kernel, `import * as pki from '@daya/pki'; export const y = pki;`, '@nx/enforce-module-boundaries'],
  ['kernel -> zod', kernel, `import { z } from 'zod'; export const y = z;`, '@nx/enforce-module-boundaries'],
  ['the clock in domain', service('domain'), `export const y = (): number => Date.now();`, 'no-restricted-syntax'],
  [
    'the environment outside main',
    service('application'),
    `export const y = process.env['X'];`,
    'no-restricted-properties',
  ],
  [
    'a floating promise',
    service('application'),
    `const f = async (): Promise<void> => undefined;\nexport function y(): void {\n  f();\n}`,
    '@typescript-eslint/no-floating-promises',
  ],
  ['any', service('application'), `export const y = (x: any): unknown => x;`, '@typescript-eslint/no-explicit-any'],
];

await createProjectGraphAsync();
const eslint = new ESLint({ cwd: ROOT });
const passed = [];
for (const [what, filePath, text, rule] of PLANTED) {
  const [result] = await eslint.lintText(text, { filePath });
  const caught = result.messages.some((message) => message.ruleId === rule && message.severity === 2);
  process.stderr.write(`${caught ? 'caught ' : 'MISSED '} ${what}\n`);
  if (!caught)
    passed.push(
      `${what} (${result.messages.map((message) => message.ruleId ?? message.message).join(', ') || 'no message'})`,
    );
}
if (passed.length > 0) throw new Error(`the linter lets through: ${passed.join('; ')}`);
