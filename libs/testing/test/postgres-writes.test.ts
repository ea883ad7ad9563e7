import { DomainError } from '@daya/kernel';
import { createDataSources, inTransaction, write, type DataSources } from '@daya/postgres';
import type { EntityManager } from 'typeorm';
import { testDatabase, type TestDatabase } from '../src';
import { NOTES } from './notes-schema';

const OWNER = '01900000-0000-7000-8000-00000000000a';

let database: TestDatabase;
let sources: DataSources;

beforeAll(async () => {
  database = await testDatabase('notes', NOTES);
  sources = await createDataSources({ ...database, applicationName: 'writes', poolSize: 2 }).open();
});

afterAll(async () => {
  await sources.close();
  await database.drop();
});

const INSERT = `INSERT INTO note (note_id, owner_id, text) VALUES ($1, $2, $3)`;
const taken = (): DomainError => new DomainError('already-exists', 'NOTE_EXISTS', 'exists');
const add = (em: EntityManager, id: string, text = 'x'): Promise<void> =>
  write(em, INSERT, [id, OWNER, text], { note_pkey: taken });
const stored = async (): Promise<string[]> => {
  const rows: { note_id: string }[] = await sources.system.query(`SELECT note_id FROM note ORDER BY 1`);
  return rows.map((row) => row.note_id);
};
const inOne = <T>(work: (em: EntityManager) => Promise<T>): Promise<T> => inTransaction(sources.system, work);

beforeEach(() => sources.system.query(`DELETE FROM note`));

test('writes take effect in their order, and later reads of the transaction see them', async () => {
  const seen = await inOne(async (em) => {
    await add(em, 'a', 'old');
    await write(em, `UPDATE note SET text = 'new' WHERE note_id = $1 AND text = 'old'`, ['a']);
    const rows: { text: string }[] = await em.query(`SELECT text FROM note WHERE note_id = $1`, ['a']);
    await add(em, 'b');
    return rows;
  });
  expect(seen).toEqual([{ text: 'new' }]);
  expect(await stored()).toEqual(['a', 'b']);
});

test('a write that fails undoes all, also what came after it, and the caller gets its refusal', async () => {
  await inOne((em) => add(em, 'there'));
  const last = inOne(async (em) => {
    await add(em, 'before');
    await add(em, 'there');
    await add(em, 'after');
  });
  await expect(last).rejects.toMatchObject({ reason: 'NOTE_EXISTS' });
  const read = inOne(async (em) => {
    await add(em, 'there');
    await em.query(`SELECT 1 FROM note WHERE note_id = $1`, ['there']);
  });
  await expect(read).rejects.toMatchObject({ reason: 'NOTE_EXISTS' });
  const thrown = inOne(async (em) => {
    await add(em, 'there');
    throw new Error('a rule that the write came before');
  });
  await expect(thrown).rejects.toMatchObject({ reason: 'NOTE_EXISTS' });
  const unnamed = inOne((em) => write(em, INSERT, ['there', OWNER, 'x']));
  await expect(unnamed).rejects.toThrow(/duplicate key/);
  expect(await stored()).toEqual(['there']);
});

test('a rule that fails undoes the writes under way, and no connection keeps anything of them', async () => {
  for (let round = 0; round < 5; round += 1) {
    const refused = inOne(async (em) => {
      await add(em, 'a');
      throw taken();
    });
    await expect(refused).rejects.toMatchObject({ reason: 'NOTE_EXISTS' });
  }
  const open: { count: number }[] = await sources.system.query(
    `SELECT count(*)::int AS count FROM pg_stat_activity WHERE application_name LIKE 'writes%' AND state LIKE 'idle in%'`,
  );
  expect(open).toEqual([{ count: 0 }]);
  expect(await stored()).toEqual([]);
});

test('writes that lock each other out are run again as one transaction', async () => {
  await inOne(async (em) => {
    await add(em, 'left', '');
    await add(em, 'right', '');
  });
  const touch = (em: EntityManager, id: string): Promise<void> =>
    write(em, `UPDATE note SET text = text || '+' WHERE note_id = $1`, [id]);
  let met = 0;
  let bothMet: () => void = () => undefined;
  const both = new Promise<void>((resolve) => (bothMet = resolve));
  const cross = (first: string, second: string): Promise<void> =>
    inOne(async (em) => {
      await touch(em, first);
      await em.query(`SELECT 1`);
      if ((met += 1) >= 2) bothMet();
      await both;
      await touch(em, second);
    });
  await Promise.all([cross('left', 'right'), cross('right', 'left')]);
  expect(met).toBeGreaterThan(2);
  const texts: { text: string }[] = await sources.system.query(`SELECT text FROM note ORDER BY note_id`);
  expect(texts).toEqual([{ text: '++' }, { text: '++' }]);
});

test('a transaction cannot be written to before, after or outside of it', async () => {
  expect(() => add(sources.system.manager, 'a')).toThrow('needs a transaction');
  const kept: EntityManager[] = [];
  await inOne((em) => Promise.resolve(kept.push(em)));
  await expect(inOne((em) => Promise.reject(new Error(String(kept.push(em)))))).rejects.toThrow('2');
  for (const em of kept) await expect(em.query(`DELETE FROM note`)).rejects.toThrow();
  let late: Promise<unknown> | undefined;
  const given = inOne(async (em) => {
    late = em.query(`SELECT pg_sleep(0.05)`).then(() => em.query(INSERT, ['late', OWNER, 'x']));
    // Still at work when the late statement comes, so that it comes before the connection is given back.
    await write(em, `SELECT pg_sleep(0.1)`);
    await Promise.all([late, Promise.reject(new Error('given up'))]);
  });
  await expect(given).rejects.toThrow('given up');
  await expect(late).rejects.toThrow('the transaction is over');
  expect(await stored()).toEqual([]);
});
