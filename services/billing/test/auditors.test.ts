import { randomUUID } from 'node:crypto';
import { ScopedTransactions } from '@daya/postgres';
import { DataSource } from 'typeorm';
import { BILLING_AUDITORS } from '../src/adapters/postgres/migrations';
import {
  aLease,
  aWindow,
  asOwner,
  audit,
  deposit,
  ended,
  finished,
  hold,
  openLedger,
  started,
  used,
  type Ledger,
} from './harness';

const OFF = 'ALTER TABLE ledger_transfer DISABLE TRIGGER USER';
const COPY_OF_A_TRANSFER = (columns: string, values: string, where: string): string =>
  `INSERT INTO ledger_transfer (id, tx_id, kind, leg, debit_account_id, credit_account_id, asset, amount, pending_id, original_id, ${columns})
   SELECT gen_random_uuid(), gen_random_uuid(), kind, leg, debit_account_id, credit_account_id, asset, amount, pending_id, original_id, ${values}
   FROM ledger_transfer WHERE ${where} LIMIT 1`;

/** Each needs the owner's rights and a guard switched off: the service's own roles cannot do any of it. */
const PLANTED: Readonly<Record<(typeof BILLING_AUDITORS)[number], readonly string[]>> = {
  audit_m1: [
    'ALTER TABLE ledger_transfer DROP CONSTRAINT ledger_transfer_credit',
    `INSERT INTO ledger_account (code, asset, kind) VALUES ('world:planted', 'CREDIT', 'world')`,
    `INSERT INTO ledger_transfer (id, tx_id, kind, cause, leg, debit_account_id, credit_account_id, asset, amount)
     SELECT gen_random_uuid(), gen_random_uuid(), 'single', 'planted', 'whole', d.id, c.id, 'USD', 5
     FROM ledger_account d, ledger_account c WHERE d.code = 'world:bank' AND d.asset = 'USD' AND c.code = 'world:planted'`,
  ],
  audit_m2: [
    `INSERT INTO ledger_account (code, asset, kind) VALUES ('world:planted', 'CREDIT', 'world')`,
    'ALTER TABLE ledger_transfer DROP CONSTRAINT ledger_transfer_debit',
    OFF,
    `UPDATE ledger_transfer SET debit_account_id = (SELECT id FROM ledger_account WHERE code = 'world:planted')
     WHERE id = (SELECT id FROM ledger_transfer WHERE kind = 'single' LIMIT 1)`,
  ],
  audit_m3: [
    `INSERT INTO ledger_transfer (id, tx_id, kind, cause, leg, debit_account_id, credit_account_id, asset, amount)
     SELECT gen_random_uuid(), gen_random_uuid(), 'single', 'planted', 'whole', d.id, c.id, 'USD', 1000000000
     FROM ledger_account d, ledger_account c WHERE d.kind = 'wallet' AND c.code = 'world:bank' LIMIT 1`,
  ],
  audit_m4: [
    `UPDATE ledger_balance SET posted = posted + 1 WHERE account_id = (SELECT id FROM ledger_account WHERE kind = 'wallet' LIMIT 1)`,
  ],
  audit_m5: [`UPDATE billed_job SET hold_remaining = hold_remaining - 1 WHERE hold_state = 'open'`],
  audit_m8: [
    'ALTER TABLE ledger_transfer DROP CONSTRAINT ledger_transfer_cause',
    COPY_OF_A_TRANSFER('cause, payer_id, payee_id', 'cause, payer_id, payee_id', `kind = 'post'`),
  ],
};

/** A settled job, a running one, a run at fault: everything an auditor could stumble over. */
async function aBusyLedger(): Promise<Ledger> {
  const ledger = await openLedger();
  const payerId = randomUUID();
  await deposit(ledger, payerId, 10_000_000n);
  for (const fault of ['none', 'provider', undefined] as const) {
    const { jobId } = await hold(ledger, payerId, 1_000_000n);
    const lease = aLease({ jobId, payerId });
    await started(ledger, lease);
    await used(ledger, aWindow(lease.leaseId, 0, 50_000n, { final: true }));
    if (fault === undefined) continue;
    await ended(ledger, lease, fault);
    await finished(ledger, jobId, payerId, [lease.leaseId]);
    // Usage that changes after the job was settled: a credit note, unless the run is at fault.
    const late = { usageId: `${lease.leaseId}/0/2`, version: 2, final: true };
    await used(ledger, aWindow(lease.leaseId, 0, 30_000n, late));
  }
  return ledger;
}

test.each(BILLING_AUDITORS)('%s is silent on a busy ledger and finds what is planted', async (name) => {
  const ledger = await aBusyLedger();
  try {
    expect(await audit(ledger)).toEqual({});
    await asOwner(ledger, ...PLANTED[name]);
    expect(await audit(ledger, [name])).not.toEqual({});
  } finally {
    await ledger.close();
  }
});

describe('rights', () => {
  let ledger: Ledger;
  beforeAll(async () => void (ledger = await aBusyLedger()));
  afterAll(() => ledger.close());

  const APPEND_ONLY = [
    'ledger_account',
    'ledger_transfer',
    'usage_window',
    'usage_charge',
    'invoice',
    'invoice_line',
    'charge_note',
  ];
  const changes = (table: string): string[] => [
    `UPDATE ${table} SET ${table === 'ledger_account' ? 'code = code' : 'create_time = now()'}`,
    `DELETE FROM ${table}`,
    `TRUNCATE ${table} CASCADE`,
  ];
  const as = async (url: string, statement: string): Promise<void> => {
    const db = await new DataSource({ type: 'postgres', url }).initialize();
    await db.query(statement).finally(() => db.destroy());
  };

  test.each(APPEND_ONLY)(
    'nobody changes a row of %s: the service has no right to, and triggers stop its owner',
    async (table) => {
      const withTime =
        table === 'invoice' || table === 'charge_note'
          ? 'issue_time = now()'
          : table === 'invoice_line'
            ? 'position = position'
            : undefined;
      const statements = changes(table).map((statement, index) =>
        index === 0 && withTime ? `UPDATE ${table} SET ${withTime}` : statement,
      );
      for (const statement of statements) {
        for (const url of [ledger.db.url, ledger.db.systemUrl])
          await expect(as(url, statement)).rejects.toThrow('permission denied');
        await expect(as(ledger.db.ownerUrl, statement)).rejects.toThrow(/append-only|violates/);
      }
    },
  );

  test('every table hides its rows from organisations that are no party to them', async () => {
    const tables: { name: string; protected: boolean }[] = await ledger.sources.system.query(
      `SELECT relname AS name, relrowsecurity AS protected FROM pg_class
       WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname <> 'migrations' ORDER BY 1`,
    );
    expect(tables.filter((table) => !table.protected)).toEqual([]);
    const stranger = randomUUID();
    for (const { name } of tables) {
      const rows = (organisationId: string): Promise<unknown[]> =>
        new ScopedTransactions(ledger.sources).run({ organisationId }, (em) => em.query(`SELECT * FROM ${name}`));
      // Names of accounts are public: each party must be able to name the other side.
      if (name !== 'ledger_account') expect([name, await rows(stranger)]).toEqual([name, []]);
    }
    const mine: { payer_id: string }[] = await ledger.sources.system.query('SELECT payer_id FROM billed_job LIMIT 1');
    const seen: unknown[] = await new ScopedTransactions(ledger.sources).run(
      { organisationId: mine[0]?.payer_id ?? '' },
      (em) => em.query('SELECT * FROM entry'),
    );
    expect(seen.length).toBeGreaterThan(0);
  });

  test('the audit role reads everything and writes nothing', async () => {
    await expect(
      as(ledger.db.auditUrl, `INSERT INTO ledger_account (code, asset, kind) VALUES ('world:x', 'USD', 'world')`),
    ).rejects.toThrow(/read-only|permission/);
  });

  test('an unbalanced, negative or two-asset row cannot be written, not even by the service', async () => {
    const row = (amount: string, credit: string): string =>
      `INSERT INTO ledger_transfer (id, tx_id, kind, cause, leg, debit_account_id, credit_account_id, asset, amount)
       SELECT gen_random_uuid(), gen_random_uuid(), 'single', 'x', 'whole', d.id, ${credit}, 'USD', ${amount} FROM ledger_account d WHERE d.code = 'world:bank'`;
    await expect(
      as(ledger.db.systemUrl, row('0', `(SELECT id FROM ledger_account WHERE code = 'fee')`)),
    ).rejects.toThrow('amount_check');
    await expect(
      as(ledger.db.systemUrl, row('-1', `(SELECT id FROM ledger_account WHERE code = 'fee')`)),
    ).rejects.toThrow('amount_check');
    await expect(as(ledger.db.systemUrl, row('1', 'd.id'))).rejects.toThrow('two_accounts');
    await as(
      ledger.db.systemUrl,
      `INSERT INTO ledger_account (code, asset, kind) VALUES ('world:bank', 'CREDIT', 'world')`,
    );
    await expect(
      as(
        ledger.db.systemUrl,
        row('1', `(SELECT id FROM ledger_account WHERE asset = 'CREDIT')`).replace(
          `d.code = 'world:bank'`,
          `d.code = 'fee'`,
        ),
      ),
    ).rejects.toThrow('ledger_transfer_credit');
    await expect(
      as(ledger.db.systemUrl, `UPDATE ledger_balance SET held = posted + 1 WHERE floor IS NOT NULL AND posted > 0`),
    ).rejects.toThrow('ledger_balance_floor');
  });
});
