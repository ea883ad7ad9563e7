import { DomainError } from '@daya/kernel';
import { QueryRunnerProviderAlreadyReleasedError } from 'typeorm';
import { constraintError, isRetriable, isUnavailable, storeError } from './database-errors';

const failure = (code: string, more: object = {}): Error =>
  Object.assign(new Error('failed'), { driverError: Object.assign(new Error('failed'), { code, ...more }) });

test('only what the server rolled back by itself is run again', () => {
  expect(['40001', '40P01'].map((code) => isRetriable(failure(code)))).toEqual([true, true]);
  expect(['23505', '57014', '08006', '40002', ''].some((code) => isRetriable(failure(code)))).toBe(false);
});

test('lost connections, stopping servers and timeouts are unavailable; broken statements are not', () => {
  for (const code of ['08006', '57P01', '57P03', '57014', '53300', 'ECONNREFUSED', 'ECONNRESET']) {
    expect(storeError(failure(code))).toMatchObject({ kind: 'unavailable', reason: 'STORE_UNAVAILABLE' });
  }
  for (const text of [
    'Connection terminated unexpectedly',
    'Query read timeout',
    'timeout exceeded when trying to connect',
    // What TypeORM says to the next query of a transaction whose connection broke.
    new QueryRunnerProviderAlreadyReleasedError().message,
  ]) {
    expect(isUnavailable(new Error(text))).toBe(true);
  }
  for (const code of ['23505', '42P01', '42501']) expect(storeError(failure(code))).not.toBeInstanceOf(DomainError);
});

test('a value that cannot be stored is the caller’s fault', () => {
  for (const code of ['22021', '22P02'])
    expect(storeError(failure(code))).toMatchObject({ kind: 'invalid', reason: 'VALUE_NOT_STORABLE' });
});

test('a violated constraint becomes the refusal that it stands for, any other stays what it is', () => {
  const refusals = { note_pkey: () => new DomainError('already-exists', 'NOTE_EXISTS', 'exists') };
  expect(constraintError(failure('23505', { constraint: 'note_pkey' }), refusals)).toMatchObject({
    reason: 'NOTE_EXISTS',
  });
  const other = failure('23505', { constraint: 'other_pkey' });
  expect(constraintError(other, refusals)).toBe(other);
});
