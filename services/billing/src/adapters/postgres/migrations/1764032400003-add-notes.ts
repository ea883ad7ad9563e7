import { enableRls, execute } from '@daya/postgres';
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { appendOnly } from './append-only';

/** Credit and debit notes: what usage that came or changed after a job was settled adds to its invoice or takes off it. */
const TABLES = [
  'ALTER TABLE billed_lease ADD COLUMN written_off_micros bigint NOT NULL DEFAULT 0 CHECK (written_off_micros >= 0)',
  'ALTER TABLE usage_charge DROP CONSTRAINT usage_charge_outcome_check',
  `ALTER TABLE usage_charge ADD CONSTRAINT usage_charge_outcome_check
     CHECK (outcome IN ('charged', 'free', 'fault', 'capped', 'noted'))`,
  'ALTER TABLE ledger_transfer DROP CONSTRAINT ledger_transfer_kind_check, DROP CONSTRAINT ledger_transfer_pending',
  `ALTER TABLE ledger_transfer
     ADD CONSTRAINT ledger_transfer_kind_check
       CHECK (kind IN ('single', 'hold', 'post', 'release', 'expire', 'reversal', 'credit_note', 'debit_note')),
     ADD CONSTRAINT ledger_transfer_pending CHECK (CASE
       WHEN kind IN ('single', 'credit_note', 'debit_note') THEN pending_id IS NULL
       WHEN kind = 'hold' THEN pending_id = id
       WHEN kind = 'reversal' THEN true
       ELSE pending_id IS NOT NULL END)`,
  `CREATE TABLE charge_note (
     note_id uuid PRIMARY KEY,
     usage_id text NOT NULL REFERENCES usage_window (usage_id),
     lease_id uuid NOT NULL REFERENCES billed_lease (lease_id),
     job_id uuid NOT NULL REFERENCES billed_job (job_id),
     invoice_id uuid NOT NULL REFERENCES invoice (invoice_id),
     position integer NOT NULL CHECK (position > 0),
     payer_id uuid NOT NULL,
     payee_id uuid NOT NULL,
     kind text NOT NULL CHECK (kind IN ('credit', 'debit')),
     billable_ms bigint NOT NULL,
     charge_micros bigint NOT NULL CHECK (charge_micros >= 0),
     fee_micros bigint NOT NULL CHECK (fee_micros >= 0),
     provider_micros bigint NOT NULL CHECK (provider_micros >= 0),
     written_off_micros bigint NOT NULL CHECK (written_off_micros >= 0),
     issue_time timestamptz NOT NULL,
     CONSTRAINT charge_note_usage UNIQUE (usage_id, lease_id),
     CONSTRAINT charge_note_position UNIQUE (job_id, position),
     CONSTRAINT charge_note_split CHECK (fee_micros + provider_micros = charge_micros),
     CONSTRAINT charge_note_amount CHECK (CASE kind
       WHEN 'credit' THEN charge_micros > 0 AND written_off_micros = 0
       ELSE (charge_micros > 0) <> (written_off_micros > 0) END))`,
  'CREATE INDEX charge_note_invoice ON charge_note (invoice_id)',
];

/** Notes move posted money, so they are entries; the rest of the view is as it was. */
const ENTRIES = `CREATE OR REPLACE VIEW entry WITH (security_invoker = true) AS
  SELECT t.tx_id, t.position * 2 + side.line AS line, a.id AS account_id, a.asset, side.sign * t.amount AS amount,
         t.create_time AS created_at
  FROM ledger_transfer t
  CROSS JOIN LATERAL (VALUES (0, t.debit_account_id, -1), (1, t.credit_account_id, 1)) AS side (line, account_id, sign)
  JOIN ledger_account a ON a.id = side.account_id
  WHERE t.kind IN ('single', 'post', 'reversal', 'credit_note', 'debit_note')`;

export class AddNotes1764032400003 implements MigrationInterface {
  name = 'AddNotes1764032400003';

  async up(runner: QueryRunner): Promise<void> {
    await execute(runner, TABLES, enableRls('charge_note', ['payer_id', 'payee_id']), appendOnly('charge_note'), [
      ENTRIES,
    ]);
  }

  async down(): Promise<void> {
    throw new Error('charges roll forward only');
  }
}
