import * as fc from 'fast-check';
import { parseCumulativeAccounts, cumulativeTree, type CumulativeAccounts } from './cumulative-root';
import { MerkleTree, cumulativeLeaf, verifyProof } from './merkle-tree';
import { derivedAddress } from './address';

const address = fc
  .uint8Array({ minLength: 20, maxLength: 20 })
  .map((bytes) => `0x${Buffer.from(bytes).toString('hex')}`);
const lists: fc.Arbitrary<CumulativeAccounts> = fc.record({
  chainId: fc.bigInt({ min: 1n, max: 2n ** 32n }),
  distributor: address,
  accounts: fc.uniqueArray(fc.record({ account: address, cumulative: fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }) }), {
    selector: (row) => row.account,
    minLength: 1,
    maxLength: 40,
  }),
});

const leavesOf = ({ chainId, distributor, accounts }: CumulativeAccounts): Uint8Array[] =>
  accounts.map((row) => cumulativeLeaf(chainId, distributor, row.account, row.cumulative));

test('every leaf has a proof that verifies, whatever the order of rows', () => {
  fc.assert(
    fc.property(lists, (list) => {
      const tree = cumulativeTree(list);
      expect(cumulativeTree({ ...list, accounts: [...list.accounts].reverse() }).root).toBe(tree.root);
      for (const leaf of leavesOf(list)) expect(verifyProof(tree.root, leaf, tree.proof(leaf))).toBe(true);
    }),
  );
});

test('each changed byte of a leaf or of a proof fails', () => {
  const accounts = Array.from({ length: 11 }, (_, index) => ({
    account: derivedAddress(`account-${index}`),
    cumulative: BigInt(index) * 77n,
  }));
  const list = { chainId: 31_337n, distributor: derivedAddress('distributor'), accounts };
  const tree = cumulativeTree(list);
  let mutations = 0;
  for (const leaf of leavesOf(list)) {
    const proof = tree.proof(leaf);
    for (let byte = 0; byte < 32; byte++) {
      const changed = Uint8Array.from(leaf);
      changed[byte] = (changed[byte] ?? 0) ^ 1;
      expect(verifyProof(tree.root, changed, proof)).toBe(false);
      proof.forEach((sibling, index) => {
        const bytes = Buffer.from(sibling.slice(2), 'hex');
        bytes[byte] = (bytes[byte] ?? 0) ^ 0x80;
        const wrong = proof.map((step, at) => (at === index ? `0x${bytes.toString('hex')}` : step));
        expect(verifyProof(tree.root, leaf, wrong)).toBe(false);
        mutations++;
      });
    }
  }
  expect(mutations).toBeGreaterThan(1_000);
});

test('each field of a leaf changes its hash', () => {
  const [a, b] = [derivedAddress('a'), derivedAddress('b')];
  const hex = (leaf: Uint8Array): string => Buffer.from(leaf).toString('hex');
  const all = [
    cumulativeLeaf(1n, a, b, 5n),
    cumulativeLeaf(2n, a, b, 5n),
    cumulativeLeaf(1n, b, b, 5n),
    cumulativeLeaf(1n, a, a, 5n),
    cumulativeLeaf(1n, a, b, 6n),
  ];
  expect(new Set(all.map(hex)).size).toBe(all.length);
});

test('a foreign leaf has no proof, and an empty tree no root', () => {
  const tree = new MerkleTree([cumulativeLeaf(1n, derivedAddress('a'), derivedAddress('b'), 5n)]);
  expect(() => tree.proof(cumulativeLeaf(1n, derivedAddress('a'), derivedAddress('b'), 6n))).toThrow('not in the tree');
  expect(() => new MerkleTree([])).toThrow('no root');
});

const aList = (accounts: unknown): unknown => ({ chain_id: '1', distributor: derivedAddress('d'), accounts });
const row = (account: string, cumulative: unknown = '1'): unknown => ({ account, cumulative });

test.each([
  ['an empty list', aList([]), 'accounts'],
  [
    'a duplicate in another case',
    aList([row(derivedAddress('a')), row(derivedAddress('a').toUpperCase().replace('0X', '0x'))]),
    'accounts[1].account',
  ],
  ['39 digits', aList([row(derivedAddress('a').slice(0, -1))]), 'accounts[0].account'],
  ['41 digits', aList([row(`${derivedAddress('a')}0`)]), 'accounts[0].account'],
  ['no prefix', aList([row(`${derivedAddress('a').slice(2)}00`)]), 'accounts[0].account'],
  ['no hex', aList([row(`0x${'g'.repeat(40)}`)]), 'accounts[0].account'],
  [
    'a malformed distributor',
    { chain_id: '1', distributor: '0x1', accounts: [row(derivedAddress('a'))] },
    'distributor',
  ],
  ['a numeric cumulative', aList([row(derivedAddress('a'), 1)]), 'accounts[0].cumulative'],
  ['2^63', aList([row(derivedAddress('a'), '9223372036854775808')]), 'accounts[0].cumulative'],
])('root: %s is refused by row and field', (_name, json, field) => {
  expect(() => parseCumulativeAccounts(json)).toThrow(`invalid fields: ${field}`);
});

test('a cumulative of 0 is allowed', () => {
  expect(cumulativeTree(parseCumulativeAccounts(aList([row(derivedAddress('a'), '0')]))).root).toMatch(
    /^0x[0-9a-f]{64}$/,
  );
});
