// Rewards: bounded, closed once, and provable by anybody with the published files.
const emission = [{ project: 'rewards', files: 'domain/(compute-epoch|close-epoch)' }];
const tree = [{ project: 'rewards', files: 'domain/(merkle-tree|vectors)' }];
const closing = [{ project: 'rewards', files: 'test/close-epoch', servers: true }];

const TREE = 'services/rewards/src/domain/merkle-tree.ts';
const TRANSACTION = 'services/rewards/src/adapters/postgres/postgres-close-transaction.ts';

export const REWARDS = [
  {
    id: 'emission-off-by-one',
    promise: 'an epoch never emits more than its share of the month',
    file: 'services/rewards/src/domain/emission.ts',
    old: `(month * (index + 1n)) / EPOCHS_PER_MONTH`,
    new: `(month * (index + 2n)) / EPOCHS_PER_MONTH`,
    tests: emission,
  },
  {
    id: 'two-closers',
    promise: 'of two that close an epoch one does, and the other finds it closed',
    file: TRANSACTION,
    old: `FROM reward_chain WHERE asset = $1 FOR UPDATE\``,
    new: `FROM reward_chain WHERE asset = $1\``,
    tests: closing,
  },
  {
    id: 'second-closer-goes-on',
    promise: 'whoever finds an epoch closed does not close the next one before its time',
    file: 'services/rewards/src/application/close-epoch.ts',
    old: `      if (chain.nextEpoch !== nextEpoch) return false;\n`,
    new: ``,
    tests: closing,
  },
  {
    id: 'late-charge-into-closed-epoch',
    promise: 'a closed epoch does not change; late work counts in the next one',
    file: TRANSACTION,
    old: `WHERE asset = $1 AND epoch IS NULL AND post_time < $3`,
    new: `WHERE asset = $1 AND post_time < $3`,
    tests: [...closing, { project: 'rewards', files: 'test/(service|audits)', servers: true }],
  },
  {
    id: 'leaves-unsorted',
    promise: 'the root does not depend on the order of the accounts',
    file: TREE,
    old: `    [...leaves].sort(Buffer.compare).forEach(`,
    new: `    [...leaves].forEach(`,
    tests: tree,
  },
  {
    id: 'leaf-hashed-once',
    promise: 'a leaf is hashed twice, so that no inner node passes for one',
    file: TREE,
    old: `  return keccak_256(keccak_256(encoded));\n`,
    new: `  return keccak_256(encoded);\n`,
    tests: tree,
  },
  {
    id: 'duplicate-leaf',
    promise: 'one address has one leaf',
    file: 'services/rewards/src/domain/cumulative-root.ts',
    old: `  if (addresses.length === parsed.accounts.length) noteDuplicates(addresses, 'accounts', 'account', problems);\n`,
    new: ``,
    tests: [{ project: 'rewards', files: 'src/domain' }],
  },
  {
    id: 'cumulative-falls',
    promise: 'what an account may claim never falls',
    file: 'services/rewards/src/domain/vesting.ts',
    old: `  for (const bucket of buckets) add(today - bucket.day >= VESTING_DAYS ? { ...bucket, day: 0n } : bucket);\n`,
    new: `  for (const bucket of buckets) if (today - bucket.day < VESTING_DAYS) add(bucket);\n`,
    tests: [{ project: 'rewards', files: 'domain/(vesting|close-epoch)' }],
  },
];
