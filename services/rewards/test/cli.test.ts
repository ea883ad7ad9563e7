import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { runCommand } from '../src/adapters/cli/run-command';
import { epochFolder } from '../src/adapters/files/published-folder';
import { canonicalFile } from '../src/domain/canonical-json';
import { cumulativeAccountsJson, cumulativeTree } from '../src/domain/cumulative-root';
import { aChain, filesOf } from './epoch-builder';
import { aSnapshotJson } from './snapshot-builder';

const address = fc
  .uint8Array({ minLength: 20, maxLength: 20 })
  .map((bytes) => `0x${Buffer.from(bytes).toString('hex')}`);
const accountLists = fc.record({
  chainId: fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }),
  distributor: address,
  accounts: fc.uniqueArray(fc.record({ account: address, cumulative: fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }) }), {
    selector: (row) => row.account,
    minLength: 1,
    maxLength: 30,
  }),
});

const REPOSITORY = join(__dirname, '../../..');
const VECTORS = join(__dirname, 'vectors');
const PYTHON = join(__dirname, '../verify/verify_root.py');
const folder = mkdtempSync(join(tmpdir(), 'daya-rewards-test-'));
const publication = join(folder, 'publication');

beforeAll(() => {
  for (const closed of aChain(3)) {
    const target = join(publication, epochFolder('DAYA_TEST', closed.result.epoch));
    mkdirSync(target, { recursive: true });
    for (const [name, text] of filesOf(closed)) writeFileSync(join(target, name), text);
  }
});
afterAll(() => rmSync(folder, { recursive: true }));

test('compute and root answer the vectors', async () => {
  const computed = await runCommand(['compute', join(VECTORS, 'ample.snapshot.json')]);
  expect([computed.exitCode, computed.stderr]).toEqual([0, '']);
  expect(JSON.parse(computed.stdout)).toEqual(JSON.parse(readFileSync(join(VECTORS, 'ample.result.json'), 'utf8')));
  const root = await runCommand(['root', join(VECTORS, 'five.accounts.json')]);
  expect(JSON.parse(root.stdout)).toEqual(JSON.parse(readFileSync(join(VECTORS, 'five.root.json'), 'utf8')));
});

test('a refused snapshot: exit 2, row and field on stderr, nothing on stdout', async () => {
  const path = join(folder, 'bad.json');
  const json = aSnapshotJson();
  json['devices'][1]['mscu'] = 1_000;
  writeFileSync(path, JSON.stringify(json));
  expect(await runCommand(['compute', path])).toMatchObject({
    exitCode: 2,
    stdout: '',
    stderr: expect.stringContaining('devices[1].mscu'),
  });
});

test.each([
  ['not JSON', '{'],
  ['empty', ''],
  ['not an object', '[]'],
])('a file that is %s is refused', async (_name, text) => {
  const path = join(folder, 'broken.json');
  writeFileSync(path, text);
  for (const command of ['compute', 'root'])
    expect(await runCommand([command, path])).toMatchObject({ exitCode: 2, stdout: '' });
});

test.each([
  [[]],
  [['compute']],
  [['guess', 'x']],
  [['compute', 'a', 'b']],
  [['constructor', 'x']],
  [['verify', '/does/not/exist']],
])('%j is refused', async (args) => {
  expect(await runCommand(args)).toMatchObject({ exitCode: 2, stdout: '' });
});

test('verify: a publication, an epoch’s folder and a manifest pass; one changed byte fails with its place', async () => {
  const last = join(publication, epochFolder('DAYA_TEST', 102n));
  expect(await runCommand(['verify', publication])).toMatchObject({
    exitCode: 0,
    stdout: 'PASS 3 epochs recomputed\n',
  });
  expect(await runCommand(['verify', last])).toMatchObject({ exitCode: 0, stdout: 'PASS 1 epoch recomputed\n' });
  expect(await runCommand(['verify', join(last, 'manifest.json')])).toMatchObject({
    exitCode: 0,
    stdout: 'PASS 1 epoch recomputed\n',
  });

  const copy = join(folder, 'forged');
  cpSync(publication, copy, { recursive: true });
  const target = join(copy, epochFolder('DAYA_TEST', 101n), 'accounts.json');
  writeFileSync(
    target,
    readFileSync(target, 'utf8').replace(
      /"cumulative":"(\d)/,
      (_all, digit: string) => `"cumulative":"${digit === '9' ? 8 : Number(digit) + 1}`,
    ),
  );
  const forged = await runCommand(['verify', copy]);
  expect(forged.exitCode).toBe(1);
  expect(forged.stdout).toMatch(
    /^FAIL .*epoch-0000000101\/accounts\.json: accounts\[\d\]\.cumulative published "\d+", recomputed "\d+"\n$/,
  );
});

test('a chain with a gap fails', async () => {
  const copy = join(folder, 'gap');
  cpSync(publication, copy, { recursive: true });
  rmSync(join(copy, epochFolder('DAYA_TEST', 101n)), { recursive: true });
  expect(await runCommand(['verify', copy])).toMatchObject({
    exitCode: 1,
    stdout: expect.stringContaining('previous_manifest_sha256'),
  });
});

test('the independent Python script finds the same roots, and a forged one', () => {
  const python = (...args: string[]) => spawnSync('python3', [PYTHON, ...args], { encoding: 'utf8' });
  const root = JSON.parse(readFileSync(join(VECTORS, 'five.root.json'), 'utf8')) as { root: string };
  expect(JSON.parse(python(join(VECTORS, 'five.accounts.json')).stdout)).toEqual(root);
  expect(python('--folder', publication)).toMatchObject({ status: 0, stdout: '{"epochs": 3}\n' });
  expect(python(join(VECTORS, 'five.accounts.json'), `0x${'0'.repeat(64)}`).status).toBe(1);
  expect(readFileSync(PYTHON, 'utf8').split('\n').length).toBeLessThanOrEqual(200);
});

test('over random lists the independent script finds the same roots', () => {
  const random = join(folder, 'random');
  const lists = fc.sample(accountLists, { numRuns: 20, seed: Date.now() });
  lists.forEach((list, index) => {
    const target = join(random, `epoch-${index}`);
    mkdirSync(target, { recursive: true });
    writeFileSync(join(target, 'accounts.json'), canonicalFile(cumulativeAccountsJson(list)));
    writeFileSync(join(target, 'manifest.json'), JSON.stringify({ root: cumulativeTree(list).root }));
  });
  expect(spawnSync('python3', [PYTHON, '--folder', random], { encoding: 'utf8' })).toMatchObject({
    status: 0,
    stdout: '{"epochs": 20}\n',
    stderr: '',
  });
});

test('npm run rewards works from a checkout', () => {
  const script = join(REPOSITORY, 'deploy/local/rewards.mjs');
  const run = (...args: string[]) => spawnSync(process.execPath, [script, ...args], { encoding: 'utf8', cwd: folder });
  expect(run('verify', 'publication')).toMatchObject({ status: 0, stdout: 'PASS 3 epochs recomputed\n' });
  expect(run('compute', 'nothing.json')).toMatchObject({ status: 2, stdout: '' });
});
