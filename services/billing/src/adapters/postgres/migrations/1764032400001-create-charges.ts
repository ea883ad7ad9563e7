import { OUTBOX_INBOX_SQL } from '@daya/messaging';
import { REQUESTS_TABLE_SQL, enableRls, execute, systemOnly } from '@daya/postgres';
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { appendOnly } from './append-only';

/** What is charged and why: jobs with their holds, leases with their prices, usage, charges and invoices. */
const TABLES = [
  `CREATE TABLE billed_job (
     job_id uuid PRIMARY KEY,
     payer_id uuid,
     asset text NOT NULL,
     hold_amount bigint,
     hold_remaining bigint,
     hold_state text CHECK (hold_state IN ('open', 'released', 'expired')),
     fee_bps integer CHECK (fee_bps BETWEEN 0 AND 10000),
     hold_create_time timestamptz,
     hold_close_time timestamptz,
     finish_time timestamptz,
     started_lease_ids uuid[] NOT NULL DEFAULT '{}',
     settle_time timestamptz,
     create_time timestamptz NOT NULL DEFAULT clock_timestamp(),
     CONSTRAINT billed_job_remaining CHECK (hold_remaining BETWEEN 0 AND hold_amount),
     CONSTRAINT billed_job_hold CHECK (num_nulls(hold_state, hold_amount, hold_remaining, fee_bps, hold_create_time) IN (0, 5)))`,
  'CREATE INDEX billed_job_payer ON billed_job (payer_id, asset)',
  // A row without terms is a lease of which only usage has arrived.
  `CREATE TABLE billed_lease (
     lease_id uuid PRIMARY KEY,
     job_id uuid REFERENCES billed_job (job_id),
     payer_id uuid,
     payee_id uuid,
     asset text,
     provider_id text,
     node_id uuid,
     task_index integer,
     run_number integer,
     gpu_model_id text,
     gpu_milli integer CHECK (gpu_milli > 0),
     price_micros_per_gpu_hour bigint CHECK (price_micros_per_gpu_hour >= 0),
     emulated boolean,
     start_time timestamptz,
     end_time timestamptz,
     waived_reason text NOT NULL DEFAULT '',
     billable_ms bigint NOT NULL DEFAULT 0,
     final_usage_in boolean NOT NULL DEFAULT false,
     latest_start_time timestamptz,
     latest_version integer,
     charged_ms bigint NOT NULL DEFAULT 0,
     charge_micros bigint NOT NULL DEFAULT 0,
     fee_micros bigint NOT NULL DEFAULT 0,
     provider_micros bigint NOT NULL DEFAULT 0,
     create_time timestamptz NOT NULL DEFAULT clock_timestamp(),
     CONSTRAINT billed_lease_terms CHECK (num_nulls(job_id, payer_id, payee_id, asset, provider_id, node_id, task_index, run_number,
       gpu_model_id, gpu_milli, price_micros_per_gpu_hour, emulated) IN (0, 12)),
     CONSTRAINT billed_lease_split CHECK (charge_micros >= 0 AND fee_micros + provider_micros = charge_micros))`,
  'CREATE INDEX billed_lease_job ON billed_lease (job_id)',
  `CREATE TABLE usage_window (
     usage_id text PRIMARY KEY,
     lease_id uuid NOT NULL REFERENCES billed_lease (lease_id),
     window_start_time timestamptz NOT NULL,
     window_end_time timestamptz NOT NULL,
     version integer NOT NULL,
     billable_ms bigint NOT NULL CHECK (billable_ms >= 0),
     cumulative_ms bigint NOT NULL CHECK (cumulative_ms >= billable_ms),
     create_time timestamptz NOT NULL DEFAULT clock_timestamp())`,
  'CREATE INDEX usage_window_lease ON usage_window (lease_id)',
  // The windows not charged yet: rows leave when they are, so that a long job costs no more to settle than a short one.
  `CREATE TABLE usage_waiting (
     usage_id text PRIMARY KEY REFERENCES usage_window (usage_id),
     lease_id uuid NOT NULL REFERENCES billed_lease (lease_id),
     cumulative_ms bigint NOT NULL)`,
  'CREATE INDEX usage_waiting_lease ON usage_waiting (lease_id)',
  `CREATE TABLE usage_charge (
     usage_id text PRIMARY KEY REFERENCES usage_window (usage_id),
     tx_id uuid NOT NULL UNIQUE,
     lease_id uuid NOT NULL REFERENCES billed_lease (lease_id),
     job_id uuid NOT NULL REFERENCES billed_job (job_id),
     payer_id uuid NOT NULL,
     payee_id uuid NOT NULL,
     billable_ms bigint NOT NULL CHECK (billable_ms >= 0),
     up_to_ms bigint NOT NULL CHECK (up_to_ms >= billable_ms),
     charge_micros bigint NOT NULL CHECK (charge_micros >= 0),
     fee_micros bigint NOT NULL CHECK (fee_micros >= 0),
     provider_micros bigint NOT NULL CHECK (provider_micros >= 0),
     outcome text NOT NULL CHECK (outcome IN ('charged', 'free', 'fault', 'capped')),
     create_time timestamptz NOT NULL DEFAULT clock_timestamp(),
     CONSTRAINT usage_charge_split CHECK (fee_micros + provider_micros = charge_micros))`,
  'CREATE INDEX usage_charge_lease ON usage_charge (lease_id)',
  `CREATE TABLE charge_reversal (
     usage_id text PRIMARY KEY REFERENCES usage_charge (usage_id),
     tx_id uuid NOT NULL UNIQUE,
     create_time timestamptz NOT NULL DEFAULT clock_timestamp())`,
  `CREATE TABLE invoice (
     invoice_id uuid PRIMARY KEY,
     job_id uuid NOT NULL REFERENCES billed_job (job_id),
     payer_id uuid NOT NULL,
     total_micros bigint NOT NULL CHECK (total_micros >= 0),
     issue_time timestamptz NOT NULL,
     CONSTRAINT invoice_job UNIQUE (job_id))`,
  'CREATE INDEX invoice_payer ON invoice (payer_id, issue_time, invoice_id)',
  `CREATE TABLE invoice_line (
     invoice_id uuid NOT NULL REFERENCES invoice (invoice_id),
     position integer NOT NULL CHECK (position > 0),
     payer_id uuid NOT NULL,
     what text NOT NULL,
     lease_id uuid NOT NULL UNIQUE,
     task_index integer NOT NULL,
     run_number integer NOT NULL,
     billable_ms bigint NOT NULL,
     price_micros_per_gpu_hour bigint NOT NULL,
     gpu_milli integer NOT NULL,
     amount_micros bigint NOT NULL CHECK (amount_micros >= 0),
     PRIMARY KEY (invoice_id, position))`,
];

const POLICIES = [
  ...enableRls('billed_job', ['payer_id']),
  ...enableRls('billed_lease', ['payer_id', 'payee_id']),
  ...enableRls('usage_charge', ['payer_id', 'payee_id']),
  ...enableRls('invoice', ['payer_id']),
  ...enableRls('invoice_line', ['payer_id']),
  ...systemOnly('usage_window'),
  ...systemOnly('usage_waiting'),
  ...systemOnly('charge_reversal'),
  ...['usage_window', 'usage_charge', 'charge_reversal', 'invoice', 'invoice_line'].flatMap(appendOnly),
];

export class CreateCharges1764032400001 implements MigrationInterface {
  name = 'CreateCharges1764032400001';

  async up(runner: QueryRunner): Promise<void> {
    await execute(runner, TABLES, POLICIES, REQUESTS_TABLE_SQL, OUTBOX_INBOX_SQL);
  }

  async down(): Promise<void> {
    throw new Error('charges roll forward only');
  }
}
