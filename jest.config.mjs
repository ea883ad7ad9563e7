// One run over every project: service tests and e2e share the stack that `npm test` starts (deploy/local/test.mjs).
import { existsSync, readdirSync } from 'node:fs';

const SWC = {
  module: { type: 'commonjs', strict: true, ignoreDynamic: true },
  jsc: {
    target: 'es2022',
    parser: { syntax: 'typescript', decorators: true },
    transform: { legacyDecorator: true, decoratorMetadata: false },
    keepClassNames: true,
  },
};

const project = (folder, name) => ({
  displayName: name,
  rootDir: folder,
  testEnvironment: 'node',
  testMatch: ['<rootDir>/**/*.test.ts'],
  testEnvironmentOptions: {
    customExportConditions: ['@daya/source', 'node', 'node-addons', 'require', 'default'],
  },
  transform: { '^.+\\.(ts|js|mjs)$': ['@swc/jest', SWC] },
  transformIgnorePatterns: ['/node_modules/(?!(jose|@noble/hashes)/)'],
  modulePathIgnorePatterns: ['<rootDir>/dist', '<rootDir>/out-tsc', '<rootDir>/bundle'],
});

const packagesIn = (folder) =>
  readdirSync(folder)
    .filter((name) => existsSync(`${folder}/${name}/package.json`))
    .map((name) => project(`${folder}/${name}`, name));

export default {
  maxWorkers: 2,
  cacheDirectory: '.daya/jest',
  testTimeout: 30_000,
  projects: [...packagesIn('libs'), ...packagesIn('services'), project('e2e', 'e2e')],
};
