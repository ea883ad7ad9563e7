import { violationsOf } from '../../test/violations-of';
import { checkRating, workKindOf } from './gpu-model';
import { changed, checkLabels, masked } from './organisation';
import { checkRewardAddress } from './provider';

test('a change is the next version; a mask picks what it names and nothing else', () => {
  expect(changed({ version: 3n, name: 'a', left: 1 }, { name: 'b' })).toEqual({ version: 4n, name: 'b', left: 1 });
  const names = { display_name: 'name', team_id: 'team' } as const;
  expect(masked({ name: 'a', team: 'b', balance: 1 }, ['team_id', 'balance'], names)).toEqual({ team: 'b' });
});

test('labels are bounded in number, key and value', () => {
  const check = (labels: Readonly<Record<string, string>>): string[] =>
    violationsOf((fields) => checkLabels(fields, 'labels', labels));
  const many = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, index) => [`k${index}`, '']));
  expect(check(many(32))).toEqual([]);
  expect(check(many(33))).toEqual(['labels TOO_MANY']);
  expect(check({ ['k'.repeat(63)]: 'v'.repeat(128) })).toEqual([]);
  expect(check({ ['k'.repeat(64)]: '' })).toEqual([`labels["${'k'.repeat(64)}"] MALFORMED`]);
  expect(check({ Key: 'v' })).toEqual(['labels["Key"] MALFORMED']);
  expect(check({ key: 'v'.repeat(129) })).toEqual(['labels["key"] TOO_LONG']);
});

test('a reward address is missing or an address; a rating is within bounds and says where it is from', () => {
  const address = (text: string): string[] => violationsOf((fields) => checkRewardAddress(fields, text));
  expect(address('')).toEqual([]);
  expect(address(`0x${'aB'.repeat(20)}`)).toEqual([]);
  expect(address(`0x${'a'.repeat(39)}`)).toEqual(['reward_address MALFORMED']);
  const rating = (workKind: string, mscu: number, source: string): string[] =>
    violationsOf((fields) => checkRating(fields, { workKind, mscu, source }));
  expect(workKindOf('training')).toBe('training');
  expect(rating('training', 1, 'x')).toEqual([]);
  expect(rating('rendering', 1_000_000, 'x'.repeat(500))).toEqual([]);
  expect(rating('mining', 0, '')).toEqual(['work_kind UNKNOWN_VALUE', 'mscu OUT_OF_RANGE', 'source REQUIRED']);
  expect(rating('training', 1_000_001, 'x'.repeat(501))).toEqual(['mscu OUT_OF_RANGE', 'source TOO_LONG']);
});
