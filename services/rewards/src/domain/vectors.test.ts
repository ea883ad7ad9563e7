import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { canonicalJson } from './canonical-json';
import { computeEpoch, resultJson } from './compute-epoch';
import { cumulativeTree, parseCumulativeAccounts } from './cumulative-root';
import { parseSnapshot } from './parse-snapshot';

const OWN_FOLDER = join(__dirname, '../../test/vectors');
const SHARED_FOLDER = join(process.env['DAYA_SHARED_DATA'] ?? join(__dirname, '../../../../../shared/data'), 'rewards');

const load = (path: string): unknown => JSON.parse(readFileSync(path, 'utf8'));

/** The cases of a folder; the shared folder is outside of the repository, so a machine without it runs our own only. */
function casesIn(folder: string, origin: string): { name: string; path: string; kind: string }[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .map((file) => /^(.+)\.(snapshot|accounts)\.json$/.exec(file))
    .flatMap((match) =>
      match ? [{ name: `${origin} ${match[1]}`, path: join(folder, match[1] ?? ''), kind: match[2] ?? '' }] : [],
    );
}

const CASES = [...casesIn(OWN_FOLDER, 'own'), ...casesIn(SHARED_FOLDER, 'shared')];

test('the vectors that this repository ships were found', () => {
  expect(CASES.filter(({ name, kind }) => name.startsWith('own') && kind === 'snapshot').length).toBeGreaterThanOrEqual(
    2,
  );
  expect(CASES.filter(({ name, kind }) => name.startsWith('own') && kind === 'accounts').length).toBeGreaterThanOrEqual(
    1,
  );
});

test('a shared folder that is named is there', () => {
  if (process.env['DAYA_SHARED_DATA'] === undefined) return;
  expect(
    existsSync(SHARED_FOLDER) ? 'found' : `DAYA_SHARED_DATA names no folder with rewards/ in it: ${SHARED_FOLDER}`,
  ).toBe('found');
});

test.each(CASES.filter(({ kind }) => kind === 'snapshot'))(
  '$name: the epoch is computed to the last unit',
  ({ path }) => {
    const result = computeEpoch(parseSnapshot(load(`${path}.snapshot.json`)));
    expect(JSON.parse(canonicalJson(resultJson(result)))).toEqual(load(`${path}.result.json`));
  },
);

test.each(CASES.filter(({ kind }) => kind === 'accounts'))('$name: the root is the one of the vector', ({ path }) => {
  const accounts = parseCumulativeAccounts(load(`${path}.accounts.json`));
  const answer = { root: cumulativeTree(accounts).root, leaves: String(accounts.accounts.length) };
  expect(answer).toEqual(load(`${path}.root.json`));
});
