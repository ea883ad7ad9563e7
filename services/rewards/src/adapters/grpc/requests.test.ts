import { DomainError } from '@daya/kernel';
import { RequestFields } from './requests';

function violationsOf(read: (fields: RequestFields) => void): string[] {
  const fields = new RequestFields();
  read(fields);
  try {
    fields.refuse();
    return [];
  } catch (error) {
    if (!(error instanceof DomainError)) throw error;
    return error.violations.map(({ field, reason }) => `${field} ${reason}`);
  }
}

test('what is good is read, with the defaults of a page', () => {
  const fields = new RequestFields();
  expect([fields.number(0n), fields.asset('DAYA_TEST'), fields.account('a'.repeat(128))]).toEqual([
    0n,
    'DAYA_TEST',
    'a'.repeat(128),
  ]);
  expect([fields.pageSize(0), fields.pageSize(7), fields.pageSize(1_000)]).toEqual([50, 7, 200]);
  expect(fields.pageToken('t'.repeat(1_024))).toHaveLength(1_024);
  expect(() => fields.refuse()).not.toThrow();
});

test('all that is wrong is refused at once, the page token too', () => {
  expect(
    violationsOf((fields) => {
      fields.number(-1n);
      fields.asset('USD');
      fields.account('');
      fields.account('a'.repeat(129));
      fields.account('a\0');
      fields.pageSize(-1);
      fields.pageToken('t'.repeat(1_025));
    }),
  ).toEqual([
    'number NEGATIVE',
    'asset ASSET_UNKNOWN',
    'account REQUIRED',
    'account TOO_LONG',
    'account MALFORMED',
    'page_size NEGATIVE',
    'page_token TOO_LONG',
  ]);
});
