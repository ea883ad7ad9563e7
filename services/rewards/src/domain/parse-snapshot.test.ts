import { DomainError } from '@daya/kernel';
import { aSnapshotJson } from '../../test/snapshot-builder';
import { deviceWeight } from './capacity';
import { parseSnapshot } from './parse-snapshot';

type Json = ReturnType<typeof aSnapshotJson>;
type Mutation = [name: string, mutate: (json: Json) => void, field: string];

/** The fields that a refusal names. */
function refusedFields(json: unknown): readonly string[] {
  try {
    parseSnapshot(json);
  } catch (error) {
    if (error instanceof DomainError) return error.violations.map((violation) => violation.field);
    throw error;
  }
  return [];
}

test('the valid control is accepted', () => {
  expect(refusedFields(aSnapshotJson())).toEqual([]);
});

const REFUSED: readonly Mutation[] = [
  ['another version', (json) => (json['version'] = '2'), 'version'],
  ['a missing version', (json) => delete json['version'], 'version'],
  ['a JSON number', (json) => (json['epoch'] = 7), 'epoch'],
  ['a sign', (json) => (json['active_mscu'] = '-1'), 'active_mscu'],
  ['a plus', (json) => (json['active_mscu'] = '+1'), 'active_mscu'],
  ['a leading zero', (json) => (json['baseline_mscu'] = '01'), 'baseline_mscu'],
  ['blank', (json) => (json['baseline_mscu'] = ''), 'baseline_mscu'],
  ['a space', (json) => (json['baseline_mscu'] = ' 1'), 'baseline_mscu'],
  ['a line end', (json) => (json['baseline_mscu'] = '1\n'), 'baseline_mscu'],
  ['an exponent', (json) => (json['floor_licences'] = '1e3'), 'floor_licences'],
  ['2^63', (json) => (json['reserve_at_month_start'] = '9223372036854775808'), 'reserve_at_month_start'],
  ['a thousand digits', (json) => (json['reserve_at_month_start'] = '9'.repeat(1_000)), 'reserve_at_month_start'],
  ['an unknown field', (json) => (json['extra'] = '1'), 'extra'],
  ['an unknown row field', (json) => (json['devices'][1]['note'] = 'x'), 'devices[1].note'],
  ['a missing row field', (json) => delete json['jobs'][0]['fee_micros'], 'jobs[0].fee_micros'],
  ['a list that is none', (json) => (json['cells'] = {}), 'cells'],
  ['a row that is none', (json) => (json['cells'] = ['x']), 'cells[0]'],
  ['price 0', (json) => (json['price_hi_micros'] = '0'), 'price_hi_micros'],
  ['an unknown class', (json) => (json['devices'][0]['gpu_class'] = 'tpu'), 'devices[0].gpu_class'],
  ['a duplicate class', (json) => json['classes'].push({ ...json['classes'][0] }), 'classes[2].gpu_class'],
  ['a duplicate device', (json) => json['devices'].push({ ...json['devices'][0] }), 'devices[2].device'],
  ['a duplicate job', (json) => json['jobs'].push({ ...json['jobs'][0] }), 'jobs[1].job'],
  ['a duplicate cell', (json) => json['cells'].push({ ...json['cells'][0] }), 'cells[1].cell'],
  ['a duplicate licence', (json) => json['licences'].push({ ...json['licences'][0] }), 'licences[1].licence'],
  ['more checks passed than made', (json) => (json['devices'][0]['checks_ok'] = '13'), 'devices[0].checks_ok'],
  ['job quality', (json) => (json['jobs'][0]['quality_bps'] = '10001'), 'jobs[0].quality_bps'],
  ['hired', (json) => (json['devices'][0]['hired_bps'] = '10001'), 'devices[0].hired_bps'],
  ['ramp', (json) => (json['devices'][0]['ramp_bps'] = '10001'), 'devices[0].ramp_bps'],
  ['utilisation', (json) => (json['utilisation_bps'] = '10001'), 'utilisation_bps'],
  ['commission', (json) => (json['licences'][0]['commission_bps'] = '3001'), 'licences[0].commission_bps'],
  ['lambda', (json) => (json['jobs'][0]['lambda_bps'] = '30001'), 'jobs[0].lambda_bps'],
  ['insurance as an owner of devices', (json) => (json['devices'][0]['account'] = 'insurance'), 'devices[0].account'],
  ['insurance as a worker', (json) => (json['jobs'][0]['account'] = 'insurance'), 'jobs[0].account'],
  ['insurance as a licence owner', (json) => (json['licences'][0]['owner'] = 'insurance'), 'licences[0].owner'],
  ['insurance as an operator', (json) => (json['licences'][0]['operator'] = 'insurance'), 'licences[0].operator'],
  ['eligible as text', (json) => (json['devices'][0]['eligible'] = 'true'), 'devices[0].eligible'],
  ['an id with half a character', (json) => (json['devices'][0]['device'] = '\ud800'), 'devices[0].device'],
];

test.each(REFUSED)('%s is refused by row and field', (_name, mutate, field) => {
  const json = aSnapshotJson();
  mutate(json);
  expect(refusedFields(json)).toEqual([field]);
});

test.each(Object.keys(aSnapshotJson()))('without %s it is refused', (field) => {
  const json = aSnapshotJson();
  delete json[field];
  expect(refusedFields(json)).toContain(field);
});

test('all violations are named at once', () => {
  const json = aSnapshotJson();
  json['epoch'] = 1;
  json['devices'][1]['mscu'] = '-5';
  json['jobs'][0]['account'] = 'insurance';
  expect(refusedFields(json)).toEqual(['epoch', 'devices[1].mscu', 'jobs[0].account']);
});

test.each([null, 'text', 5, [], undefined])('%p is not a snapshot', (json) => {
  expect(refusedFields(json)).not.toEqual([]);
});

test('a member called __proto__ is an unknown field', () => {
  expect(refusedFields(JSON.parse(JSON.stringify(aSnapshotJson()).replace('{', '{"__proto__":"1",')))).toEqual([
    '__proto__',
  ]);
});

test('a device quality above 11,000 counts as 11,000', () => {
  const json = aSnapshotJson();
  json['devices'][0]['quality_bps'] = '12136';
  const capped = aSnapshotJson();
  capped['devices'][0]['quality_bps'] = '11000';
  const [above, at] = [parseSnapshot(json), parseSnapshot(capped)].map(({ devices }) => devices[0]);
  expect(above && deviceWeight(above, 0n)).toBe(at && deviceWeight(at, 0n));
  expect(at && deviceWeight(at, 0n)).toBeGreaterThan(0n);
});
