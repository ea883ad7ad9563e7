import { mapPath } from './field-checks';

test.each([
  ['cost-centre', 'labels["cost-centre"]'],
  ['0', 'labels["0"]'],
  ['a"].b', 'labels["a\\"].b"]'],
  ['x'.repeat(10_000), `labels["${'x'.repeat(128)}"]`],
])('the value of a map under %.20s has a path that no list and no other key has', (key, path) => {
  expect(mapPath('labels', key)).toBe(path);
});
