// The walls of docs/architecture.md as errors: imports point inward, services never import services.
import nx from '@nx/eslint-plugin';
import tsPlugin from '@typescript-eslint/eslint-plugin';
import tsParser from '@typescript-eslint/parser';
import importX from 'eslint-plugin-import-x';
import { createTypeScriptImportResolver } from 'eslint-import-resolver-typescript';

const INWARD = 'Imports point inward: adapters -> application -> domain.';

/** Only relative imports and the allowed packages; never one of the outer layers. */
const only = (allowed, ...outward) => [
  'error',
  {
    patterns: [
      { regex: `^(?!\\.{1,2}/|(${allowed})$)`, message: 'This layer imports nothing from outside.' },
      ...outward.map((group) => ({ group: [group], message: INWARD })),
    ],
  },
];

const boundaries = [
  'error',
  {
    enforceBuildableLibDependency: false,
    allow: [],
    depConstraints: [
      { sourceTag: 'type:service', onlyDependOnLibsWithTags: ['type:lib', 'type:kernel'] },
      { sourceTag: 'type:lib', onlyDependOnLibsWithTags: ['type:lib', 'type:kernel'] },
      {
        sourceTag: 'type:kernel',
        onlyDependOnLibsWithTags: [],
        allowedExternalImports: ['@noble/hashes', '@noble/hashes/*', 'fast-check'],
      },
      { sourceTag: 'type:harness', onlyDependOnLibsWithTags: ['type:lib', 'type:kernel'] },
    ],
  },
];

const NODE_GLOBALS = [
  'process',
  'console',
  'Buffer',
  'URL',
  'URLSearchParams',
  'TextDecoder',
  'TextDecoderStream',
  'AbortSignal',
  'AbortController',
].concat([
  'fetch',
  'performance',
  'setTimeout',
  'clearTimeout',
  'setInterval',
  'clearInterval',
  'setImmediate',
  'structuredClone',
]);

const tests = ['**/*.test.ts', '**/test/**/*.ts', 'e2e/**/*.ts', 'bench/**/*.ts'];

export default [
  { ignores: ['**/dist/**', '**/out-tsc/**', '**/bundle/**', '**/src/gen/**', '.daya/**', '**/*.js'] },
  {
    // Scripts that run before anything is installed or built: plain Node.
    files: ['**/*.mjs'],
    languageOptions: { globals: Object.fromEntries(NODE_GLOBALS.map((name) => [name, 'readonly'])) },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      'no-undef': 'error',
      'no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
      'no-unreachable': 'error',
      'no-dupe-keys': 'error',
      'no-constant-condition': ['error', { checkLoops: false }],
      'no-var': 'error',
      'prefer-const': 'error',
      eqeqeq: 'error',
      'max-lines': ['error', { max: 300, skipBlankLines: false }],
    },
  },
  {
    files: ['**/*.ts'],
    languageOptions: {
      parser: tsParser,
      parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname },
    },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    plugins: { '@typescript-eslint': tsPlugin, '@nx': nx, 'import-x': importX },
    settings: {
      'import-x/extensions': ['.ts', '.js'],
      'import-x/parsers': { '@typescript-eslint/parser': ['.ts'] },
      'import-x/resolver-next': [
        createTypeScriptImportResolver({ conditionNames: ['@daya/source', 'node', 'require', 'default'], project: [] }),
      ],
    },
    rules: {
      '@nx/enforce-module-boundaries': boundaries,
      'import-x/no-cycle': ['error', { ignoreExternal: true }],
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': ['error', { checksVoidReturn: { arguments: false } }],
      '@typescript-eslint/await-thenable': 'error',
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', ignoreRestSiblings: true }],
      '@typescript-eslint/no-non-null-assertion': 'error',
      'no-restricted-properties': [
        'error',
        { object: 'process', property: 'env', message: 'Only main.ts reads the environment.' },
      ],
      'max-lines': ['error', { max: 300, skipBlankLines: false }],
      'max-lines-per-function': ['error', { max: 60 }],
      eqeqeq: 'error',
    },
  },
  {
    files: ['**/domain/**/*.ts'],
    ignores: tests,
    rules: { 'no-restricted-imports': only('@daya/kernel|@noble/hashes(/.*)?', '**/application/**', '**/adapters/**') },
  },
  {
    files: ['**/domain/**/*.ts'],
    ignores: tests,
    rules: {
      'no-restricted-globals': ['error', 'setTimeout', 'setInterval', 'performance'],
      'no-restricted-syntax': [
        'error',
        {
          selector: "CallExpression[callee.object.name='Date'][callee.property.name='now']",
          message: 'Time is an argument.',
        },
        { selector: "NewExpression[callee.name='Date'][arguments.length=0]", message: 'Time is an argument.' },
        {
          selector: "CallExpression[callee.object.name='Math'][callee.property.name='random']",
          message: 'Randomness is an argument.',
        },
      ],
    },
  },
  {
    files: ['**/application/**/*.ts'],
    ignores: tests,
    rules: { 'no-restricted-imports': only('@daya/kernel|node:util', '**/adapters/**') },
  },
  { files: ['**/main.ts', 'libs/testing/**/*.ts', ...tests], rules: { 'no-restricted-properties': 'off' } },
  {
    files: tests,
    rules: {
      'max-lines': ['error', { max: 500 }],
      'max-lines-per-function': 'off',
      '@typescript-eslint/no-non-null-assertion': 'off',
    },
  },
];
