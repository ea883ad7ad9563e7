import { isUuid } from '@daya/kernel';
import { Violations } from './violations';

const ID = '0190a5f0-0000-7000-8000-00000000abcd';

function violated(work: (found: Violations) => unknown, path = ''): string[] {
  const found = new Violations(path);
  work(found);
  return found.list.map(({ field, reason }) => `${field} ${reason}`);
}

test.each<[string, (found: Violations) => boolean, string[]]>([
  ['an id', (v) => v.uuid('i', ID), []],
  ['no id', (v) => v.uuid('i', ''), ['i REQUIRED']],
  ['an id in upper case', (v) => v.uuid('i', ID.toUpperCase()), ['i MALFORMED']],
  ['the least of a range', (v) => v.range('r', 1, 1, 3), []],
  ['the most of a range', (v) => v.range('r', 3n, 1n, 3n), []],
  ['below a range', (v) => v.range('r', 0, 1, 3), ['r OUT_OF_RANGE']],
  ['above a range', (v) => v.range('r', 4n, 1n, 3n), ['r OUT_OF_RANGE']],
  ['the longest text', (v) => v.length('t', 'xyz', 1, 3), []],
  ['a text too long by one', (v) => v.length('t', 'wxyz', 1, 3), ['t TOO_LONG']],
  ['no text', (v) => v.length('t', '', 1, 3), ['t REQUIRED']],
  ['no text where none is needed', (v) => v.length('t', '', 0, 3), []],
  ['the fewest', (v) => v.count('c', 1, 1, 3), []],
  ['the most', (v) => v.count('c', 3, 1, 3), []],
  ['too few', (v) => v.count('c', 0, 1, 3), ['c REQUIRED']],
  ['too many', (v) => v.count('c', 4, 1, 3), ['c TOO_MANY']],
])('%s', (_name, work, expected) => {
  const found = new Violations();
  expect(work(found)).toBe(expected.length === 0);
  expect(violated(work)).toEqual(expected);
});

test('fields stand below their message, and all of them are kept', () => {
  expect(violated((found) => found.uuid('i', '') || found.count('c', 0, 1, 3), 'reports[2]')).toEqual([
    'reports[2].i REQUIRED',
    'reports[2].c REQUIRED',
  ]);
  expect(isUuid(`${ID}0`)).toBe(false);
});
