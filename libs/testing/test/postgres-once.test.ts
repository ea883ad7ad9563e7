import { DomainError } from '@daya/kernel';
import {
  createDataSources,
  findAnswer,
  inTransaction,
  isUnavailable,
  jsonCodec,
  once,
  onceAs,
  ScopedTransactions,
  type DataSources,
} from '@daya/postgres';
import type { EntityManager } from 'typeorm';
import { tcpProxy, testDatabase, testStack, type TestDatabase } from '../src';
import { NOTES } from './notes-schema';

const ALPHA = '01900000-0000-7000-8000-00000000000a';
const BETA = '01900000-0000-7000-8000-00000000000b';
const alpha = { organisationId: ALPHA };

let database: TestDatabase;
let sources: DataSources;
let store: ScopedTransactions;
let made = 0;

beforeAll(async () => {
  database = await testDatabase('notes', NOTES);
  sources = await createDataSources({ ...database, applicationName: 'notes' }).open();
  store = new ScopedTransactions(sources);
});

afterAll(async () => {
  await sources.close();
  await database.drop();
});

const makeNote = (requestId: string, text: string, organisationId = ALPHA): Promise<{ noteId: string }> =>
  store.run({ organisationId }, (em) =>
    once(
      em,
      { scope: organisationId, method: 'MakeNote', requestId, fingerprint: text },
      async () => {
        const noteId = `note-${(made += 1)}`;
        await em.query(`INSERT INTO note (note_id, owner_id, text) VALUES ($1, $2, $3)`, [
          noteId,
          organisationId,
          text,
        ]);
        return { noteId };
      },
      jsonCodec<{ noteId: string }>(),
    ),
  );

test('20 callers with one request id get one answer, and one note exists', async () => {
  const answers = await Promise.all(Array.from({ length: 20 }, () => makeNote('race', 'once')));
  expect(new Set(answers.map((answer) => answer.noteId)).size).toBe(1);
  const [row]: { count: number }[] = await store.run('system', (em) =>
    em.query(`SELECT count(*)::int FROM note WHERE text = 'once'`),
  );
  expect(row).toEqual({ count: 1 });
});

test('the same id with other content is refused; another organisation or method has ids of its own', async () => {
  await makeNote('reused', 'first');
  await expect(makeNote('reused', 'second')).rejects.toMatchObject({
    kind: 'already-exists',
    reason: 'REQUEST_ID_REUSED',
  });
  await expect(makeNote('reused', 'second', BETA)).resolves.toHaveProperty('noteId');
});

test('a first answer can be looked up without a write, and nothing is found before it', async () => {
  const find = (text: string) => (em: EntityManager) =>
    findAnswer(
      em,
      { scope: ALPHA, method: 'MakeNote', requestId: 'looked-up', fingerprint: text },
      jsonCodec<{ noteId: string }>(),
    );
  const readOnly = (work: (em: EntityManager) => Promise<unknown>) =>
    store.run(alpha, async (em) => {
      await em.query('SET TRANSACTION READ ONLY');
      return work(em);
    });
  expect(await readOnly(find('text'))).toBeUndefined();
  const first = await makeNote('looked-up', 'text');
  expect(await readOnly(find('text'))).toEqual(first);
  await expect(readOnly(find('another'))).rejects.toMatchObject({ reason: 'REQUEST_ID_REUSED' });
  expect(await store.run({ organisationId: BETA }, find('text'))).toBeUndefined();
});

test('a refusal is not stored: the same id may succeed later', async () => {
  const attempt = (refuse: boolean): Promise<string> =>
    store.run(alpha, (em) =>
      once(
        em,
        { scope: ALPHA, method: 'Maybe', requestId: 'r', fingerprint: 'x' },
        () =>
          refuse ? Promise.reject(new DomainError('precondition', 'NOT_YET', 'not yet')) : Promise.resolve('done'),
        jsonCodec<string>(),
      ),
    );
  await expect(attempt(true)).rejects.toMatchObject({ reason: 'NOT_YET' });
  await expect(attempt(false)).resolves.toBe('done');
});

test('an answer that is known before the work goes to every racing caller, and to nobody when the work is refused', async () => {
  let worked = 0;
  const attempt = (answer: string, refuse = false): Promise<string> =>
    store.run(alpha, (em) =>
      onceAs(
        em,
        { scope: ALPHA, method: 'Known', requestId: 'known', fingerprint: 'x' },
        answer,
        () => {
          worked += 1;
          return refuse ? Promise.reject(new DomainError('precondition', 'NOT_YET', 'not yet')) : Promise.resolve();
        },
        jsonCodec<string>(),
      ),
    );
  await expect(attempt('refused', true)).rejects.toMatchObject({ reason: 'NOT_YET' });
  const answers = await Promise.all(Array.from({ length: 10 }, (_, index) => attempt(`answer ${index}`)));
  expect(new Set(answers).size).toBe(1);
  expect(worked).toBe(2);
});

test('an empty, endless or unprintable request id is an invalid field', async () => {
  for (const requestId of ['', 'x'.repeat(65), 'nul\0', 'two words']) {
    await expect(makeNote(requestId, 'text')).rejects.toMatchObject({
      kind: 'invalid',
      violations: [{ field: 'request_id' }],
    });
  }
});

test('serialization failures are run again: 10 increments at once, none lost', async () => {
  await store.run('system', (em) => em.query(`INSERT INTO tally VALUES ('serial', 0)`));
  const increments = Array.from({ length: 10 }, () => incrementOften());
  await Promise.all(increments);
  const [row]: { count: string }[] = await store.run('system', (em) =>
    em.query(`SELECT count FROM tally WHERE name = 'serial'`),
  );
  expect(row?.count).toBe('10');
});

// Ten rivals can lose more than five rounds each; the caller then sees 40001 and decides, as a use case would.
async function incrementOften(): Promise<void> {
  for (;;) {
    const done = await store
      .run(
        'system',
        async (em) => {
          const [row]: { count: string }[] = await em.query(`SELECT count FROM tally WHERE name = 'serial'`);
          await em.query(`UPDATE tally SET count = $1 WHERE name = 'serial'`, [BigInt(row?.count ?? 0) + 1n]);
          return true;
        },
        { isolation: 'SERIALIZABLE' },
      )
      .catch(() => false);
    if (done) return;
  }
}

test('a deadlock is run again', async () => {
  await store.run('system', (em) => em.query(`INSERT INTO tally VALUES ('left', 0), ('right', 0)`));
  let runs = 0;
  const cross = (first: string, second: string): Promise<void> =>
    inTransaction(sources.system, async (em) => {
      runs += 1;
      await em.query(`UPDATE tally SET count = count + 1 WHERE name = $1`, [first]);
      await new Promise((resolve) => setTimeout(resolve, 100));
      await em.query(`UPDATE tally SET count = count + 1 WHERE name = $1`, [second]);
    });
  await Promise.all([cross('left', 'right'), cross('right', 'left')]);
  expect(runs).toBeGreaterThan(2);
  const rows: { count: string }[] = await store.run('system', (em) =>
    em.query(`SELECT count FROM tally WHERE name IN ('left', 'right')`),
  );
  expect(rows).toEqual([{ count: '2' }, { count: '2' }]);
});

test('a lost connection is `unavailable`, and the pool heals', async () => {
  const { postgres } = testStack();
  const proxy = await tcpProxy(postgres);
  const through = (url: string): string => url.replace(`:${postgres.port}/`, `:${proxy.port}/`);
  const far = await createDataSources({
    url: through(database.url),
    systemUrl: through(database.systemUrl),
    applicationName: 'far',
  }).open();
  const farStore = new ScopedTransactions(far);
  const cut = farStore.run(alpha, async (em) => {
    await em.query(`INSERT INTO note (note_id, owner_id, text) VALUES ('cut', $1, 'cut')`, [ALPHA]);
    proxy.cut();
    await em.query(`SELECT 1`);
  });
  await expect(cut).rejects.toMatchObject({ kind: 'unavailable', reason: 'STORE_UNAVAILABLE' });
  await expect(farStore.run(alpha, (em) => em.query(`SELECT 1`))).rejects.toMatchObject({
    reason: 'STORE_UNAVAILABLE',
  });
  proxy.heal();
  await expect(farStore.run(alpha, (em) => em.query(`SELECT 1 AS one`))).resolves.toEqual([{ one: 1 }]);
  expect(await farStore.run('system', (em) => em.query(`SELECT 1 FROM note WHERE note_id = 'cut'`))).toEqual([]);
  await far.close();
  await proxy.close();
});

test('a statement that outlives the client timeout is `unavailable`, and its half-done transaction never joins another', async () => {
  const slow = createDataSources({ ...database, applicationName: 'slow', poolSize: 1 });
  for (const db of [slow.scoped, slow.system]) Object.assign(db.options.extra as object, { query_timeout: 300 });
  await slow.open();
  const stalled = inTransaction(slow.system, async (em) => {
    await em.query(`INSERT INTO note (note_id, owner_id, text) VALUES ('stalled', $1, 'stalled')`, [ALPHA]);
    await em.query(`SELECT pg_sleep(1)`);
  });
  const error: unknown = await stalled.catch((reason: unknown) => reason);
  expect(error).toMatchObject({ reason: 'STORE_UNAVAILABLE' });
  expect(isUnavailable((error as Error).cause)).toBe(true);
  await inTransaction(slow.system, (em) =>
    em.query(`INSERT INTO note (note_id, owner_id, text) VALUES ('after', $1, 'after')`, [ALPHA]),
  );
  await slow.close();
  const ids: unknown = await store.run('system', (em) =>
    em.query(`SELECT note_id FROM note WHERE note_id IN ('stalled', 'after')`),
  );
  expect(ids).toEqual([{ note_id: 'after' }]);
});
