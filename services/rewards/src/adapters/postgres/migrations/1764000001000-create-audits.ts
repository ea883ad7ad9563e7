import { execute } from '@daya/postgres';
import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * An auditor; every row it answers is a violation. An epoch is written whole in one transaction and never changes, so there is
 * nothing on its way that `grace_seconds` would have to wait for.
 */
const auditor = (name: string, sql: string): string =>
  `CREATE FUNCTION ${name}(grace_seconds integer) RETURNS TABLE (subject text, detail text) LANGUAGE sql STABLE AS $$
     SELECT asset || '/' || coalesce(number::text, '*'), violation FROM (${sql}) found WHERE grace_seconds >= 0 $$`;

/** 450 million tokens of 9 decimals, 1.5 % of the rest a month, 730 epochs a month: domain/emission.ts, said again in SQL. */
const W1 = auditor(
  'audit_w1',
  `  WITH schedule AS (
    SELECT *, div(reserve_at_month_start::numeric * 150, 10000) AS month, number % 730 AS i FROM epoch)
  SELECT asset, number, 'awarded more than the ceiling' AS violation FROM epoch WHERE awarded > ceiling OR emission > ceiling
  UNION ALL SELECT asset, number, 'emission is not awarded + unissued' FROM epoch WHERE emission <> awarded + unissued OR unissued < 0
  UNION ALL SELECT asset, number, 'the ceiling is not the schedule''s' FROM schedule
    WHERE ceiling <> div(month * (i + 1), 730) - div(month * i, 730)
  UNION ALL SELECT asset, max(number), 'awarded more than the supply' FROM epoch GROUP BY asset HAVING sum(awarded) > 450000000000000000`,
);

const W2 = auditor(
  'audit_w2',
  `  WITH rewards AS (SELECT asset, number, sum(amount) AS amount FROM reward GROUP BY asset, number),
  posted AS (SELECT asset, number,
      sum(amount) FILTER (WHERE debit_account = 'reserve') AS awarded,
      coalesce(sum(amount) FILTER (WHERE credit_account LIKE 'account:%:vested'), 0) - coalesce(sum(amount) FILTER (WHERE debit_account LIKE 'account:%:vested'), 0) AS vested
    FROM transfer GROUP BY asset, number),
  liability AS (SELECT e.asset, e.number, sum(coalesce(p.vested, 0)) OVER (PARTITION BY e.asset ORDER BY e.number) AS vested
    FROM epoch e LEFT JOIN posted p USING (asset, number)),
  leaves AS (SELECT asset, number, sum(cumulative) AS cumulative FROM leaf GROUP BY asset, number),
  balances AS (SELECT asset, account, sum(amount) AS amount FROM (
      SELECT asset, credit_account AS account, amount FROM transfer UNION ALL SELECT asset, debit_account, -amount FROM transfer) entry
    WHERE account <> 'reserve' GROUP BY asset, account)
  SELECT asset, number, 'rewards do not sum to what was awarded' AS violation FROM epoch LEFT JOIN rewards USING (asset, number)
    WHERE coalesce(rewards.amount, 0) <> awarded
  UNION ALL SELECT asset, number, 'the ledger did not post what was awarded' FROM epoch LEFT JOIN posted USING (asset, number)
    WHERE coalesce(posted.awarded, 0) <> epoch.awarded
  UNION ALL SELECT asset, number, 'leaves do not sum to the vested liability' FROM liability LEFT JOIN leaves USING (asset, number)
    WHERE coalesce(leaves.cumulative, 0) <> liability.vested
  UNION ALL SELECT later.asset, later.number, 'a leaf decreased or vanished: ' || earlier.address
    FROM leaf earlier JOIN epoch later ON later.asset = earlier.asset AND later.number = earlier.number + 1
    LEFT JOIN leaf now ON now.asset = later.asset AND now.number = later.number AND now.address = earlier.address
    WHERE coalesce(now.cumulative, -1) < earlier.cumulative
  UNION ALL SELECT asset, NULL, 'an account owes more than it was given: ' || account FROM balances WHERE amount < 0`,
);

const W3 = auditor(
  'audit_w3',
  `  WITH manifest AS (SELECT asset, number, sha256, text::jsonb AS content FROM epoch_file WHERE name = 'manifest.json')
  SELECT asset, number, name || ' is not what was hashed' AS violation FROM epoch_file
    WHERE encode(sha256(convert_to(text, 'UTF8')), 'hex') <> sha256
  UNION ALL SELECT e.asset, e.number, 'the manifest does not say what the epoch says' FROM epoch e LEFT JOIN manifest m USING (asset, number)
    WHERE m.sha256 IS DISTINCT FROM e.manifest_sha256 OR m.content->>'root' IS DISTINCT FROM e.root
      OR m.content->>'previous_manifest_sha256' IS DISTINCT FROM e.previous_manifest_sha256
      OR m.content->'totals'->>'awarded' IS DISTINCT FROM e.awarded::text
  UNION ALL SELECT m.asset, m.number, (listed->>'file') || ' is not the file that the manifest names' FROM manifest m
    CROSS JOIN jsonb_array_elements(m.content->'files') AS listed
    LEFT JOIN epoch_file f ON f.asset = m.asset AND f.number = m.number AND f.name = listed->>'file'
    WHERE f.sha256 IS DISTINCT FROM listed->>'sha256'
  UNION ALL SELECT e.asset, e.number, 'the chain of manifests is broken' FROM epoch e JOIN reward_chain c USING (asset)
    LEFT JOIN epoch before ON before.asset = e.asset AND before.number = e.number - 1
    WHERE before.manifest_sha256 IS DISTINCT FROM e.previous_manifest_sha256 OR (before.number IS NULL AND e.number <> c.first_epoch)
  UNION ALL SELECT f.asset, f.number, 'the root''s accounts are not the leaves' FROM epoch_file f
    WHERE f.name = 'accounts.json' AND EXISTS (
      SELECT 1 FROM jsonb_to_recordset(f.text::jsonb->'accounts') AS listed(account text, cumulative bigint)
      FULL JOIN (SELECT address, cumulative FROM leaf l WHERE l.asset = f.asset AND l.number = f.number) l ON l.address = listed.account
      WHERE l.cumulative IS DISTINCT FROM listed.cumulative)`,
);

/** By name; the arguments are one, `grace_seconds`. */
export const REWARDS_AUDITORS = ['audit_w1', 'audit_w2', 'audit_w3'] as const;

/** Auditors, for the audit role; `rewards verify` and verify_root.py recompute the root itself. */
export class CreateAudits1764000001000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await execute(runner, W1, W2, W3);
  }

  down(): Promise<void> {
    return Promise.reject(new Error('migrations roll forward only'));
  }
}
