import { Client } from 'pg';
import { REWARDS_AUDITORS } from '../src/adapters/postgres/migrations';
import { EpochHarness, FIRST_EPOCH } from './epoch-harness';

let harness: EpochHarness;
beforeAll(async () => {
  harness = await EpochHarness.open();
  await harness.apply(...harness.onlineNode(), harness.charge(FIRST_EPOCH));
  await harness.closeThrough(FIRST_EPOCH + 2n);
});
afterAll(() => harness.close());

/** What the auditors find as the read-only audit role. */
async function findings(): Promise<Record<string, string[]>> {
  const client = new Client({ connectionString: harness.database.auditUrl });
  await client.connect();
  try {
    const found: Record<string, string[]> = {};
    for (const audit of REWARDS_AUDITORS)
      found[audit] = (await client.query<{ detail: string }>(`SELECT detail FROM ${audit}(0)`)).rows.map(
        (row) => row.detail,
      );
    return found;
  } finally {
    await client.end();
  }
}

/** Plants a violation as a superuser whom no right and no key stops, looks, and takes it back. */
async function planted(sql: string, audit: (typeof REWARDS_AUDITORS)[number]): Promise<string[]> {
  const client = new Client({ connectionString: harness.database.superUrl });
  await client.connect();
  try {
    await client.query(`BEGIN; SET LOCAL session_replication_role = replica`);
    const { rowCount } = await client.query(sql);
    expect(rowCount).toBeGreaterThan(0);
    return (await client.query<{ detail: string }>(`SELECT detail FROM ${audit}(0)`)).rows.map((row) => row.detail);
  } finally {
    await client.query('ROLLBACK');
    await client.end();
  }
}

test('after three epochs of both assets no auditor finds anything, and it does see rows', async () => {
  expect(await findings()).toEqual({ audit_w1: [], audit_w2: [], audit_w3: [] });
  const client = new Client({ connectionString: harness.database.auditUrl });
  await client.connect();
  expect((await client.query(`SELECT 1 FROM epoch`)).rowCount).toBe(6);
  await client.end();
});

test.each([
  [
    'audit_w1',
    'awarded more than the ceiling',
    `UPDATE epoch SET awarded = ceiling + 1, emission = ceiling + 1, unissued = 0 WHERE number = 101`,
  ],
  ['audit_w1', 'emission is not awarded + unissued', `UPDATE epoch SET unissued = unissued + 1 WHERE number = 101`],
  [
    'audit_w1',
    "the ceiling is not the schedule's",
    `UPDATE epoch SET ceiling = ceiling + 1 WHERE number = 101 AND asset = 'DAYA'`,
  ],
  ['audit_w1', 'awarded more than the supply', `UPDATE epoch SET awarded = 450000000000000000 WHERE number = 101`],
  [
    'audit_w2',
    'rewards do not sum to what was awarded',
    `UPDATE reward SET amount = amount + 1 WHERE account = 'insurance' AND number = 100`,
  ],
  [
    'audit_w2',
    'rewards do not sum to what was awarded',
    `DELETE FROM reward WHERE account = 'insurance' AND number = 100`,
  ],
  [
    'audit_w2',
    'the ledger did not post what was awarded',
    `UPDATE transfer SET amount = amount + 1 WHERE debit_account = 'reserve' AND number = 102`,
  ],
  [
    'audit_w2',
    'leaves do not sum to the vested liability',
    `UPDATE leaf SET cumulative = cumulative + 1 WHERE number = 102`,
  ],
  [
    'audit_w2',
    'leaves do not sum to the vested liability',
    `DELETE FROM transfer WHERE credit_account = 'account:insurance:vested' AND number = 101`,
  ],
  ['audit_w2', 'a leaf decreased or vanished', `UPDATE leaf SET cumulative = 0 WHERE number = 101`],
  ['audit_w2', 'a leaf decreased or vanished', `DELETE FROM leaf WHERE number = 102`],
  [
    'audit_w2',
    'an account owes more than it was given',
    `UPDATE transfer SET amount = amount * 9 WHERE debit_account LIKE 'account:%:locked'`,
  ],
  [
    'audit_w3',
    'result.json is not what was hashed',
    `UPDATE epoch_file SET text = replace(text, '"epoch"', '"Epoch"') WHERE name = 'result.json' AND number = 101`,
  ],
  ['audit_w3', 'the manifest does not say what the epoch says', `UPDATE epoch SET root = '0x00' WHERE number = 101`],
  [
    'audit_w3',
    'inputs.json is not the file that the manifest names',
    `UPDATE epoch_file SET sha256 = repeat('0', 64) WHERE name = 'inputs.json' AND number = 100`,
  ],
  ['audit_w3', 'the chain of manifests is broken', `DELETE FROM epoch WHERE number = 101`],
  [
    'audit_w3',
    "the root's accounts are not the leaves",
    `UPDATE leaf SET cumulative = cumulative + 1 WHERE number = 102`,
  ],
] as const)('%s finds a planted violation: %s', async (audit, violation, sql) => {
  expect(await planted(sql, audit)).toEqual(expect.arrayContaining([expect.stringContaining(violation)]));
});
