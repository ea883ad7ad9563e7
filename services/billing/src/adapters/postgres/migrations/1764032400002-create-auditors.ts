import { execute } from '@daya/postgres';
import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The shapes that the invariants of docs speak of; they read the tables as the caller may, so audit them as `billing_audit`. */
const VIEWS = [
  `CREATE VIEW account WITH (security_invoker = true) AS
     SELECT id, code, kind, owner_id AS owner, asset, floor AS min_balance, create_time AS created_at FROM ledger_account`,
  // The asset is the account's and not the row's, so that a row between two assets shows as unbalanced.
  `CREATE VIEW entry WITH (security_invoker = true) AS
     SELECT t.tx_id, t.position * 2 + side.line AS line, a.id AS account_id, a.asset, side.sign * t.amount AS amount,
            t.create_time AS created_at
     FROM ledger_transfer t
     CROSS JOIN LATERAL (VALUES (0, t.debit_account_id, -1), (1, t.credit_account_id, 1)) AS side (line, account_id, sign)
     JOIN ledger_account a ON a.id = side.account_id
     WHERE t.kind IN ('single', 'post', 'reversal')`,
  `CREATE VIEW tx WITH (security_invoker = true) AS
     SELECT tx_id AS id, min(position) AS seq, kind, cause AS ref, tx_id AS idem_key, min(create_time) AS created_at
     FROM ledger_transfer GROUP BY tx_id, kind, cause`,
  `CREATE VIEW balance WITH (security_invoker = true) AS
     SELECT b.account_id, a.asset, sum(b.posted) AS amount, sum(b.posted) AS posted, sum(b.held) AS held
     FROM ledger_balance b JOIN ledger_account a ON a.id = b.account_id GROUP BY b.account_id, a.asset`,
  `CREATE VIEW hold WITH (security_invoker = true) AS
     SELECT t.id, t.debit_account_id AS account_id, j.hold_remaining AS amount, j.hold_amount AS placed_amount, j.hold_state AS status,
            j.job_id, t.create_time AS created_at
     FROM billed_job j JOIN ledger_transfer t ON t.kind = 'hold' AND t.leg = 'whole' AND t.cause = 'job:' || j.job_id`,
  `CREATE VIEW charge WITH (security_invoker = true) AS
     SELECT usage_id, tx_id, lease_id, job_id, charge_micros, outcome, create_time AS created_at FROM usage_charge`,
  `CREATE VIEW idem WITH (security_invoker = true) AS SELECT scope AS principal, method, request_id AS key FROM request`,
];

/** An auditor: rows younger than `grace_seconds` may still be on their way; every row it returns is a violation. */
const auditor = (name: string, sql: string): string =>
  `CREATE FUNCTION ${name}(grace_seconds integer) RETURNS TABLE (subject text, detail text) LANGUAGE sql STABLE AS $$ ${sql} $$`;

const RIPE = `now() - make_interval(secs => grace_seconds)`;

const AUDITORS = [
  auditor(
    'audit_m1',
    `
    SELECT tx_id::text, asset || ' is off by ' || sum(amount) FROM entry
    GROUP BY tx_id, asset HAVING sum(amount) <> 0 AND max(created_at) <= ${RIPE}`,
  ),
  auditor(
    'audit_m2',
    `
    SELECT asset, 'all accounts together are ' || sum(amount) FROM entry WHERE grace_seconds >= 0
    GROUP BY asset HAVING sum(amount) <> 0`,
  ),
  auditor(
    'audit_m3',
    `
    SELECT a.code || ' ' || a.asset, 'available ' || coalesce(e.posted, 0) - coalesce(p.held, 0) || ' is below ' || a.min_balance
    FROM account a
    LEFT JOIN (SELECT account_id, sum(amount) AS posted FROM entry GROUP BY 1) e ON e.account_id = a.id
    LEFT JOIN (SELECT account_id, sum(amount) AS held FROM hold WHERE status = 'open' GROUP BY 1) p ON p.account_id = a.id
    WHERE grace_seconds >= 0 AND coalesce(e.posted, 0) - coalesce(p.held, 0) < a.min_balance`,
  ),
  auditor(
    'audit_m4',
    `
    SELECT coalesce(b.account_id, e.account_id)::text, 'stored ' || coalesce(b.posted, 0) || ', entries say ' || coalesce(e.posted, 0)
    FROM balance b FULL JOIN (SELECT account_id, sum(amount) AS posted FROM entry GROUP BY 1) e USING (account_id)
    WHERE grace_seconds >= 0 AND coalesce(b.posted, 0) <> coalesce(e.posted, 0)`,
  ),
  auditor(
    'audit_m5',
    `
    SELECT coalesce(b.account_id, h.account_id)::text, 'held ' || coalesce(b.held, 0) || ', open holds say ' || coalesce(h.amount, 0)
    FROM balance b
    FULL JOIN (SELECT account_id, sum(amount) AS amount FROM hold WHERE status = 'open' GROUP BY 1) h USING (account_id)
    WHERE grace_seconds >= 0 AND coalesce(b.held, 0) <> coalesce(h.amount, 0)
    UNION ALL
    SELECT h.job_id::text, 'the hold says ' || h.amount || ', its transfers say ' || t.remaining
    FROM hold h
    JOIN (SELECT pending_id, sum(CASE WHEN kind IN ('hold', 'reversal') THEN amount ELSE -amount END) AS remaining
          FROM ledger_transfer WHERE pending_id IS NOT NULL GROUP BY 1) t ON t.pending_id = h.id
    WHERE h.amount <> t.remaining OR (h.status <> 'open' AND h.amount <> 0)`,
  ),
  auditor(
    'audit_m8',
    `
    SELECT kind || ' ' || ref, count(*) || ' transactions for one cause' FROM tx
    GROUP BY ref, kind HAVING count(*) > 1 AND max(created_at) <= ${RIPE}
    UNION ALL
    SELECT principal || ' ' || method || ' ' || key, count(*) || ' answers for one request' FROM idem
    GROUP BY principal, method, key HAVING count(*) > 1
    UNION ALL
    SELECT kind || ' ' || cause || ' ' || leg, count(*) || ' rows for one leg of one cause' FROM ledger_transfer
    GROUP BY kind, cause, leg HAVING count(*) > 1 AND max(create_time) <= ${RIPE}`,
  ),
];

/** The auditors that this service ships; each is called with a grace in seconds and returns nothing on clean data. */
export const BILLING_AUDITORS = ['audit_m1', 'audit_m2', 'audit_m3', 'audit_m4', 'audit_m5', 'audit_m8'] as const;

export class CreateAuditors1764032400002 implements MigrationInterface {
  name = 'CreateAuditors1764032400002';

  async up(runner: QueryRunner): Promise<void> {
    await execute(runner, VIEWS, AUDITORS);
  }

  async down(): Promise<void> {
    throw new Error('auditors roll forward only');
  }
}
