import { assetOf, checkEpoch, epochOf, toEpochCursor } from './requests';

const wrong = (number: bigint, asset: string): string[] =>
  checkEpoch({ number, asset }).violations.map(({ field, reason }) => `${field} ${reason}`);

test('an epoch is named by an asset that is rewarded and a number from 0', () => {
  expect(wrong(0n, 'DAYA_TEST')).toEqual([]);
  expect(epochOf({ number: 0n, asset: 'DAYA_TEST' })).toEqual(['DAYA_TEST', 0n]);
  expect(assetOf('USD')).toBeUndefined();
});

test('all that is wrong is refused at once', () => {
  expect(wrong(-1n, 'USD')).toEqual(['number OUT_OF_RANGE', 'asset UNKNOWN_VALUE']);
});

test('a cursor names the last epoch of the page before', () => {
  expect(toEpochCursor(undefined)).toBeUndefined();
  expect(toEpochCursor({ number: '7', asset: 'DAYA' })).toEqual({ number: 7n, asset: 'DAYA' });
});
