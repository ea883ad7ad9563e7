import { execute } from '@daya/postgres';
import { OUTBOX_INBOX_SQL } from '@daya/messaging';
import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Projections of what other services announced; only the system role sees them. */
const INPUTS = [
  `CREATE TABLE node_version (node_id text, version bigint, change_time timestamptz NOT NULL, provider_id text NOT NULL, reward_address text NOT NULL,
    region text NOT NULL, emulated boolean NOT NULL, online boolean NOT NULL, ineligible_reason text NOT NULL, gpus jsonb NOT NULL,
    PRIMARY KEY (node_id, version))`,
  `CREATE INDEX node_version_time ON node_version (change_time)`,
  `CREATE TABLE node_revocation (node_id text PRIMARY KEY, revoke_time timestamptz NOT NULL)`,
  `CREATE TABLE offer_version (offer_id text, version bigint, change_time timestamptz NOT NULL, node_id text NOT NULL, gpu_class text NOT NULL,
    open boolean NOT NULL, PRIMARY KEY (offer_id, version))`,
  `CREATE TABLE charge (charge_id text PRIMARY KEY, post_time timestamptz NOT NULL, asset text NOT NULL, job_id text NOT NULL, provider_id text NOT NULL,
    node_id text NOT NULL, gpu_class text NOT NULL, money_asset text NOT NULL, fee_micros bigint NOT NULL, billable_ms bigint NOT NULL,
    gpu_milli bigint NOT NULL CHECK (gpu_milli >= 0), epoch bigint)`,
  `CREATE INDEX charge_open ON charge (asset, post_time) WHERE epoch IS NULL`,
  `CREATE TABLE refused_event (event_id text PRIMARY KEY, topic text NOT NULL, type text NOT NULL, payload bytea NOT NULL, reason text NOT NULL,
    refuse_time timestamptz NOT NULL DEFAULT now())`,
];

/** Closed epochs. Once written, nothing of them changes. */
const EPOCHS = [
  `CREATE TABLE reward_chain (asset text PRIMARY KEY CHECK (asset IN ('DAYA', 'DAYA_TEST')), genesis_time bigint NOT NULL, epoch_seconds bigint NOT NULL,
    first_epoch bigint NOT NULL, next_epoch bigint NOT NULL CHECK (next_epoch >= first_epoch))`,
  `CREATE TABLE epoch (asset text REFERENCES reward_chain, number bigint, start_time timestamptz NOT NULL, end_time timestamptz NOT NULL,
    reserve_at_month_start bigint NOT NULL, ceiling bigint NOT NULL, emission bigint NOT NULL, awarded bigint NOT NULL CHECK (awarded >= 0),
    unissued bigint NOT NULL, root text NOT NULL, manifest_sha256 text NOT NULL, previous_manifest_sha256 text,
    top_owner_share_bps integer NOT NULL, hhi integer NOT NULL, close_time timestamptz NOT NULL DEFAULT clock_timestamp(), PRIMARY KEY (asset, number))`,
  `CREATE TABLE publication (asset text, number bigint, publish_time timestamptz NOT NULL DEFAULT clock_timestamp(), PRIMARY KEY (asset, number),
    FOREIGN KEY (asset, number) REFERENCES epoch)`,
  `CREATE TABLE epoch_file (asset text, number bigint, position integer, name text NOT NULL, sha256 text NOT NULL, rows bigint NOT NULL, text text NOT NULL,
    PRIMARY KEY (asset, number, position), UNIQUE (asset, number, name), FOREIGN KEY (asset, number) REFERENCES epoch)`,
  `CREATE TABLE reward (asset text, number bigint, account text, address text NOT NULL, amount bigint NOT NULL, cumulative_vested bigint NOT NULL,
    zero_reason text NOT NULL, PRIMARY KEY (asset, number, account), FOREIGN KEY (asset, number) REFERENCES epoch,
    CONSTRAINT zero_has_reason CHECK (amount >= 0 AND (amount = 0) = (zero_reason <> '')))`,
  `CREATE INDEX reward_account ON reward (asset, account, number)`,
  `CREATE TABLE leaf (asset text, number bigint, address text, cumulative bigint NOT NULL, PRIMARY KEY (asset, number, address),
    FOREIGN KEY (asset, number) REFERENCES epoch)`,
  `CREATE TABLE transfer (transfer_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, asset text NOT NULL, number bigint NOT NULL,
    debit_account text NOT NULL, credit_account text NOT NULL, amount bigint NOT NULL CHECK (amount > 0), CHECK (debit_account <> credit_account),
    FOREIGN KEY (asset, number) REFERENCES epoch)`,
  `CREATE INDEX transfer_epoch ON transfer (asset, number)`,
];

const INPUT_TABLES = [
  'node_version',
  'node_revocation',
  'offer_version',
  'charge',
  'refused_event',
  'reward_chain',
  'transfer',
];
const PUBLIC_TABLES = ['epoch', 'publication', 'epoch_file', 'reward', 'leaf'];
const WRITTEN_ONCE = ['epoch', 'publication', 'epoch_file', 'reward', 'leaf', 'transfer'];

export class CreateEpochs1764000000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await execute(runner, OUTBOX_INBOX_SQL, INPUTS, EPOCHS);
    await execute(
      runner,
      [...INPUT_TABLES, ...PUBLIC_TABLES].map((table) => `ALTER TABLE ${table} ENABLE ROW LEVEL SECURITY`),
      PUBLIC_TABLES.map((table) => `CREATE POLICY ${table}_public ON ${table} FOR SELECT USING (true)`),
      WRITTEN_ONCE.map((table) => `REVOKE UPDATE, DELETE, TRUNCATE ON ${table} FROM rewards, rewards_system`),
    );
  }

  down(): Promise<void> {
    return Promise.reject(new Error('migrations roll forward only'));
  }
}
