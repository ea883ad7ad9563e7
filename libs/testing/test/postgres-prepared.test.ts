import { createDataSources, inTransaction, type DataSources } from '@daya/postgres';
import { Client } from 'pg';
import { testDatabase, type TestDatabase } from '../src';
import { NOTES } from './notes-schema';

const OWNER = '01900000-0000-7000-8000-00000000000a';

let database: TestDatabase;
let sources: DataSources;

beforeAll(async () => {
  database = await testDatabase('notes', NOTES);
  sources = await createDataSources({ ...database, applicationName: 'prepared', poolSize: 3 }).open();
});

afterAll(async () => {
  await sources.close();
  await database.drop();
});

const read = (on: Pick<DataSources['system'], 'query'>): Promise<Record<string, unknown>[]> =>
  on.query(`SELECT * FROM note WHERE owner_id = $1 ORDER BY note_id`, [OWNER]);

test('a statement with values is parsed once per connection, one without never', async () => {
  await inTransaction(sources.system, async (em) => {
    for (let count = 0; count < 3; count += 1) await read(em);
    await em.query(`SELECT count(*) FROM note`);
    const prepared: { statement: string; uses: number }[] = await em.query(
      `SELECT statement, (generic_plans + custom_plans)::int AS uses FROM pg_prepared_statements WHERE statement LIKE '%FROM note%'`,
    );
    expect(prepared).toEqual([{ statement: expect.stringContaining('SELECT * FROM note') as string, uses: 3 }]);
  });
});

test('when a migration changes what a prepared statement returns, calls go on', async () => {
  const everyConnection = () => Promise.all([1, 2, 3].map(() => inTransaction(sources.system, read)));
  await everyConnection();
  const admin = new Client({ connectionString: database.superUrl });
  await admin.connect();
  await admin.query(`INSERT INTO note (note_id, owner_id, text) VALUES ('first', $1, 'x')`, [OWNER]);
  await admin.query(`ALTER TABLE note ADD COLUMN colour text NOT NULL DEFAULT 'red'`);
  await admin.end();
  const all = await everyConnection();
  expect(all.map(([row]) => row?.['colour'])).toEqual(['red', 'red', 'red']);
  // Outside of a transaction nobody repeats it for the caller, but the connection does not stay broken either.
  await Promise.all([1, 2, 3, 4, 5].map(() => read(sources.system).catch(() => [])));
  expect((await read(sources.system))[0]?.['colour']).toBe('red');
});

test('texts without end are not all prepared, and run nevertheless', async () => {
  await inTransaction(sources.system, async (em) => {
    for (let number = 0; number < 1_100; number += 1)
      expect(await em.query(`SELECT $1::int + ${number} AS sum`, [1])).toEqual([{ sum: number + 1 }]);
    const [held]: { count: number }[] = await em.query(`SELECT count(*)::int AS count FROM pg_prepared_statements`);
    expect(held?.count).toBeLessThanOrEqual(1_000);
  });
});
