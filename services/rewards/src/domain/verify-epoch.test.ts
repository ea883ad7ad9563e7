import { aChain, filesOf } from '../../test/epoch-builder';
import { canonicalFile, type JsonValue } from './canonical-json';
import { verifyEpoch, type EpochFiles } from './verify-epoch';

const [first, second, third] = aChain(3).map(filesOf) as [EpochFiles, EpochFiles, EpochFiles];

const withFile = (files: EpochFiles, name: string, text: string): EpochFiles => new Map([...files, [name, text]]);

test('every epoch of a chain is recomputed, with the link to the one before', () => {
  expect(verifyEpoch(first, undefined).difference).toBeUndefined();
  expect(verifyEpoch(second, first).difference).toBeUndefined();
  expect(verifyEpoch(third, second).difference).toBeUndefined();
});

test('an epoch by itself is recomputed from its own files', () => {
  expect(verifyEpoch(third, undefined).difference).toBeUndefined();
});

/** Every leaf value of a JSON text, changed one at a time. */
function* mutations(json: unknown, path: string): Generator<{ path: string; json: unknown }> {
  if (Array.isArray(json)) {
    for (const [index, item] of json.entries()) {
      for (const inner of mutations(item, `${path}[${index}]`))
        yield { path: inner.path, json: json.with(index, inner.json) };
    }
  } else if (typeof json === 'object' && json !== null) {
    for (const [name, item] of Object.entries(json)) {
      for (const inner of mutations(item, `${path}.${name}`))
        yield { path: inner.path, json: { ...json, [name]: inner.json } };
    }
  } else {
    yield { path, json: typeof json === 'boolean' ? !json : json === null ? 'x' : changedText(String(json)) };
  }
}

const changedText = (text: string): string => (/^[0-9]+$/.test(text) ? String(BigInt(text) + 1n) : `${text}x`);

test.each([...second.keys()])('each changed value of %s is a difference', (name) => {
  let tried = 0;
  for (const { path, json } of mutations(JSON.parse(second.get(name) ?? ''), name)) {
    const { difference } = verifyEpoch(withFile(second, name, canonicalFile(json as JsonValue)), first);
    expect([path, difference]).not.toEqual([path, undefined]);
    tried++;
  }
  expect(tried).toBeGreaterThan(5);
});

test('a difference names file, place and both values', () => {
  const result = JSON.parse(second.get('result.json') ?? '');
  result.devices[0].capacity = '5';
  const { difference } = verifyEpoch(withFile(second, 'result.json', canonicalFile(result)), first);
  expect(difference).toMatch(/^result\.json: devices\[0\]\.capacity published "5", recomputed "\d+"$/);
});

test('the same values in another form are a difference', () => {
  const pretty = JSON.stringify(JSON.parse(second.get('accounts.json') ?? ''), null, 2);
  expect(verifyEpoch(withFile(second, 'accounts.json', pretty), first).difference).toContain('canonical form');
});

test('a missing, an extra and an unreadable file are differences', () => {
  const without = new Map([...second].filter(([name]) => name !== 'inputs.json'));
  expect(verifyEpoch(without, first).difference).toBe('inputs.json: is missing');
  expect(verifyEpoch(withFile(second, 'note.txt', 'hello'), first).difference).toBe(
    'note.txt: is not part of the epoch',
  );
  expect(verifyEpoch(withFile(second, 'opening.json', '{'), first).difference).toBe('opening.json: is not JSON');
});

test('an epoch that does not follow the one before is a difference', () => {
  expect(verifyEpoch(third, first).difference).toMatch(/^manifest\.json: previous_manifest_sha256 is/);
});
