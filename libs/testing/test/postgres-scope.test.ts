import {
  createDataSources,
  migrate,
  requireSchema,
  ScopedTransactions,
  sqlState,
  type DataSources,
} from '@daya/postgres';
import { Client } from 'pg';
import { testDatabase, type TestDatabase } from '../src';
import { NOTES } from './notes-schema';

const ALPHA = '01900000-0000-7000-8000-00000000000a';
const BETA = '01900000-0000-7000-8000-00000000000b';

let database: TestDatabase;
let sources: DataSources;
let store: ScopedTransactions;

beforeAll(async () => {
  database = await testDatabase('notes', NOTES);
  sources = await createDataSources({ ...database, applicationName: 'notes' }).open();
  store = new ScopedTransactions(sources);
  await store.run('system', (em) =>
    em.query(
      `INSERT INTO note VALUES ('a', $1, NULL, 'alpha only', false), ('b', $2, NULL, 'beta only', false), ('ab', $1, $2, 'both', false), ('open', $1, NULL, 'all', true)`,
      [ALPHA, BETA],
    ),
  );
});

afterAll(async () => {
  await sources.close();
  await database.drop();
});

const readBy = async (organisationId: string): Promise<string[]> => {
  const rows: { note_id: string }[] = await store.run({ organisationId }, (em) =>
    em.query(`SELECT note_id FROM note ORDER BY 1`),
  );
  return rows.map((row) => row.note_id);
};

test('an organisation sees the rows in which it is a party, and public ones', async () => {
  expect(await readBy(ALPHA)).toEqual(['a', 'ab', 'open']);
  expect(await readBy(BETA)).toEqual(['ab', 'b', 'open']);
});

test('a forgotten scope sees nothing but public rows, also on a connection that had a scope before', async () => {
  await readBy(ALPHA);
  const seen: { note_id: string }[] = await sources.scoped.query(`SELECT note_id FROM note`);
  expect(seen).toEqual([{ note_id: 'open' }]);
  expect(await sources.scoped.query(`SELECT * FROM request`)).toEqual([]);
  expect(await sources.scoped.query(`SELECT * FROM outbox`)).toEqual([]);
});

test.each(['', 'no-uuid', `${ALPHA}', true); SELECT set_config('app.organisation', '${BETA}`])(
  'a scope that is no UUID reaches no statement: %s',
  async (organisationId) => {
    await expect(readBy(organisationId)).rejects.toThrow('must be a UUID');
  },
);

test('one statement of the system needs no transaction, and its failures are as those of one', async () => {
  expect(
    await store.read(`SELECT note_id FROM note WHERE owner_id = $1 AND reader_id IS NULL ORDER BY 1`, [BETA]),
  ).toEqual([{ note_id: 'b' }]);
  await expect(store.read(`SELECT $1::uuid`, ['no-uuid'])).rejects.toMatchObject({ reason: 'VALUE_NOT_STORABLE' });
});

test('an organisation cannot change, give away or plant rows of another', async () => {
  const beta = { organisationId: BETA };
  const changed: [unknown, number] = await store.run(beta, (em) =>
    em.query(`UPDATE note SET text = 'mine' WHERE note_id IN ('a', 'open') RETURNING 1`),
  );
  expect(changed[1]).toBe(0);
  const [, removed]: [unknown, number] = await store.run(beta, (em) =>
    em.query(`DELETE FROM note WHERE note_id = 'a'`),
  );
  expect(removed).toBe(0);
  const planted = store.run(beta, (em) =>
    em.query(`INSERT INTO note VALUES ('x', $1, NULL, 'planted', false)`, [ALPHA]),
  );
  await expect(planted).rejects.toThrow('row-level security');
  const given = store.run(beta, (em) => em.query(`UPDATE note SET owner_id = $1 WHERE note_id = 'b'`, [ALPHA]));
  await expect(given).rejects.toThrow('row-level security');
});

test('concurrent transactions of two organisations on one pool never see each other', async () => {
  const rounds = Array.from({ length: 40 }, (_, index) => readBy(index % 2 === 0 ? ALPHA : BETA));
  const results = await Promise.all(rounds);
  results.forEach((ids, index) => expect(ids).toEqual(index % 2 === 0 ? ['a', 'ab', 'open'] : ['ab', 'b', 'open']));
});

test('system and audit see everything, audit cannot write, and nobody else can connect', async () => {
  const all: unknown[] = await store.run('system', (em) => em.query(`SELECT 1 FROM note`));
  expect(all).toHaveLength(4);
  const audit = new Client({ connectionString: database.auditUrl });
  await audit.connect();
  expect((await audit.query(`SELECT 1 FROM note`)).rowCount).toBe(4);
  await expect(audit.query(`DELETE FROM note`)).rejects.toThrow('read-only');
  await audit.query(`SET default_transaction_read_only = off`);
  await expect(audit.query(`DELETE FROM note`)).rejects.toThrow('permission denied');
  await expect(audit.query(`SELECT next_aggregate_version('topic', 'key')`)).rejects.toThrow('permission denied');
  await audit.end();
  const other = await testDatabase('strangers', []);
  const stranger = new URL(database.url);
  const [user, password] = [new URL(other.systemUrl).username, new URL(other.systemUrl).password];
  Object.assign(stranger, { username: user, password });
  const client = new Client({ connectionString: stranger.toString() });
  await expect(client.connect()).rejects.toMatchObject({ code: '42501' });
  await other.drop();
});

test('a service refuses a schema that is older than its build, and the migrator is safe to run twice at once', async () => {
  const fresh = await testDatabase('late', []);
  const late = await createDataSources({ ...fresh, applicationName: 'late' }).open();
  await expect(requireSchema(late.system, NOTES)).rejects.toThrow('Notes1760000000001');
  const runs = await Promise.all([migrate(fresh.ownerUrl, NOTES), migrate(fresh.ownerUrl, NOTES)]);
  expect(runs.flat()).toEqual(['Notes1760000000001']);
  await requireSchema(late.system, NOTES);
  await late.close();
  await fresh.drop();
});

test('the scoped role owns nothing and makes nothing', async () => {
  const made = sources.scoped.query(`CREATE TABLE mine (id int)`);
  await expect(made).rejects.toThrow('permission denied');
  expect(await made.catch(sqlState)).toBe('42501');
});
