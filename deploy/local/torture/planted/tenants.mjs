// Nobody sees or changes what is not theirs.
const reads = [{ project: 'scheduler', files: 'test/reads', servers: true }];

export const TENANTS = [
  {
    id: 'get-without-owner',
    promise: 'a foreign job answers like a missing one',
    file: 'services/scheduler/src/application/read-jobs.ts',
    old: `await this.queries.job(scopeOf(caller), jobId);`,
    new: `await this.queries.job('system', jobId);`,
    tests: reads,
  },
  {
    id: 'list-without-tenant',
    promise: 'a list holds the caller’s own jobs only',
    file: 'services/scheduler/src/application/read-jobs.ts',
    old: `this.queries.jobs(scopeOf(caller), filter);`,
    new: `this.queries.jobs('system', filter);`,
    tests: reads,
  },
  {
    id: 'scope-of-any-text',
    promise: 'nobody’s words become part of a statement',
    file: 'libs/postgres/src/scoped-transactions.ts',
    old: `    if (!isUuid(scope.organisationId)) return`,
    new: `    if (scope.organisationId === '') return`,
    tests: [{ project: 'testing', files: 'test/postgres-scope', servers: true }],
  },
  {
    id: 'mask-lets-all-through',
    promise: 'an update changes what its mask may name, nothing else',
    file: 'libs/kernel/src/field-checks.ts',
    old: `      if (!allowed.includes(path))\n`,
    new: `      if (allowed.length > FIELD_MASK_PATHS_MAX)\n`,
    tests: [
      { project: 'registry', files: 'src/domain' },
      { project: 'registry', files: 'test/offers', servers: true },
    ],
  },
  {
    id: 'revoked-key-cached',
    promise: 'a revoked key is dead within seconds',
    file: 'services/gateway/src/limits.ts',
    old: `export const KEY_CACHE_MS = 1_000;`,
    new: `export const KEY_CACHE_MS = 3_600_000;`,
    tests: [{ project: 'gateway', files: 'src/access' }],
  },
];
