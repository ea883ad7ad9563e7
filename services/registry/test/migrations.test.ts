import { randomUUID } from 'node:crypto';
import { migrate } from '@daya/postgres';
import { testDatabase, type TestDatabase } from '@daya/testing';
import { DataSource } from 'typeorm';
import { MIGRATIONS } from '../src/adapters/postgres/migrations';
import { SCOPES } from '../src/domain/api-key';
import { PLATFORM_ORGANISATION_ID } from '../src/domain/organisation';

let database: TestDatabase;
let sql: DataSource;
// The last migration meets keys that are older than it.
beforeAll(async () => {
  database = await testDatabase('registry', MIGRATIONS.slice(0, -1));
  sql = await new DataSource({ type: 'postgres', url: database.superUrl }).initialize();
});
afterAll(async () => {
  await sql?.destroy();
  await database?.drop();
});

const aKey = async (scopes: readonly string[]): Promise<string> => {
  const keyId = randomUUID();
  await sql.query(
    `INSERT INTO api_key (key_id, organisation_id, display_name, prefix, secret_hash, role, scopes, create_time, expire_time)
     VALUES ($1::uuid, $2, 'old', $1::text, repeat('0', 64), 'owner', $3, now(), now() + interval '1 day')`,
    [keyId, PLATFORM_ORGANISATION_ID, scopes],
  );
  return keyId;
};
const scopesOf = async (keyId: string): Promise<string[]> => {
  const [row]: { scopes: string[] }[] = await sql.query('SELECT scopes FROM api_key WHERE key_id = $1', [keyId]);
  return row!.scopes;
};

test('keys keep what they could do before every method had a scope', async () => {
  const all = SCOPES.filter(
    (scope) => !['billing:write', 'catalogue:write', 'nodes:read', 'organisation:read', 'rewards:read'].includes(scope),
  );
  const [operator, reader] = [await aKey(all), await aKey(['jobs:read'])];
  await migrate(database.env.DATABASE_OWNER_URL, MIGRATIONS);
  expect(await scopesOf(operator)).toEqual([...SCOPES]);
  expect(await scopesOf(reader)).toEqual(['jobs:read', 'nodes:read', 'organisation:read', 'rewards:read']);
});
