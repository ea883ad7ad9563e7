import { DomainError, type FieldViolation } from './domain-error';
import { FieldChecks, mapPath } from './field-checks';

const ID = '0190a5f0-0000-7000-8000-00000000abcd';

const reasonsOf = (checks: FieldChecks): string[] => checks.violations.map(({ field, reason }) => `${field} ${reason}`);
const check = (work: (checks: FieldChecks) => unknown): string[] => {
  const checks = new FieldChecks();
  work(checks);
  return reasonsOf(checks);
};

test.each<[string, (checks: FieldChecks) => unknown, string[]]>([
  ['a value that is there', (c) => c.present('a', 0), []],
  ['a value that is not', (c) => c.present('a', undefined), ['a REQUIRED']],
  ['an id', (c) => c.uuid('a', ID), []],
  ['no id', (c) => c.uuid('a', ''), ['a REQUIRED']],
  ['an id in upper case', (c) => c.uuid('a', ID.toUpperCase()), ['a MALFORMED']],
  ['an id with something before it', (c) => c.uuid('a', `x${ID}`), ['a MALFORMED']],
  ['an id with something behind it', (c) => c.uuid('a', `${ID}0`), ['a MALFORMED']],
  ['an id that may be missing', (c) => c.optionalUuid('a', ''), []],
  ['an id that may be missing but is wrong', (c) => c.optionalUuid('a', 'x'), ['a MALFORMED']],
  ['the longest text', (c) => c.text('a', 'xyz', 3), []],
  ['a text too long by one', (c) => c.text('a', 'wxyz', 3), ['a TOO_LONG']],
  ['no text', (c) => c.text('a', '', 3), ['a REQUIRED']],
  ['a control character', (c) => c.text('a', 'x\n', 3), ['a MALFORMED']],
  ['the longest request id', (c) => c.requestId('x'.repeat(64)), []],
  ['a request id too long by one', (c) => c.requestId('x'.repeat(65)), ['request_id TOO_LONG']],
  ['both ends of a range', (c) => c.range('a', 1, 1, 3).range('a', 3, 1, 3), []],
  [
    'below and above a range',
    (c) => c.range('a', 0n, 1n, 3n).range('b', 4n, 1n, 3n),
    ['a OUT_OF_RANGE', 'b OUT_OF_RANGE'],
  ],
  ['both ends of a count', (c) => c.count('a', 1, 1, 3).count('a', 3, 1, 3), []],
  ['too few and too many', (c) => c.count('a', 0, 1, 3).count('b', 4, 1, 3), ['a REQUIRED', 'b TOO_MANY']],
])('%s', (_name, work, reasons) => expect(check(work)).toEqual(reasons));

test('all violations are refused at once, none is no refusal', () => {
  expect(() => new FieldChecks().uuid('a', ID).refuse()).not.toThrow();
  const refused = (): void => new FieldChecks().uuid('a', '').present('b', undefined).refuse();
  const violations: FieldViolation[] = [
    { field: 'a', reason: 'REQUIRED', description: 'must be set' },
    { field: 'b', reason: 'REQUIRED', description: 'must be set' },
  ];
  expect(refused).toThrow(DomainError);
  expect(refused).toThrow(
    expect.objectContaining({ kind: 'invalid', reason: 'INVALID_FIELDS', message: 'invalid fields: a, b', violations }),
  );
});

test.each([
  ['cost-centre', 'labels["cost-centre"]'],
  ['0', 'labels["0"]'],
  ['a"].b', 'labels["a\\"].b"]'],
  ['x'.repeat(10_000), `labels["${'x'.repeat(128)}"]`],
])('the value of a map under %.20s has a path that no list and no other key has', (key, path) => {
  expect(mapPath('labels', key)).toBe(path);
});
