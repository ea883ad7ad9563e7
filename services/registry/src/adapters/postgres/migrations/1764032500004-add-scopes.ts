import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What every key could read before reading had scopes. */
const READ = ['nodes:read', 'organisation:read', 'rewards:read'];
/** What a key with every scope of its time could do besides; the operator's alone are let into these. */
const WRITE = ['billing:write', 'catalogue:write'];
const ALL_BEFORE = [
  'billing:read',
  'jobs:read',
  'jobs:write',
  'keys:read',
  'keys:write',
  'nodes:write',
  'organisation:write',
];

/** Methods that had no scope got one: keys keep what they could do, so that nobody is locked out. */
export class AddScopes1764032500004 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(
      `UPDATE api_key k SET scopes = ARRAY(
         SELECT DISTINCT unnest(k.scopes || $1::text[] || CASE WHEN k.scopes @> $2::text[] THEN $3::text[] ELSE '{}' END) ORDER BY 1)`,
      [READ, ALL_BEFORE, WRITE],
    );
  }

  down(): Promise<void> {
    return Promise.reject(new Error('migrations only go forward'));
  }
}
