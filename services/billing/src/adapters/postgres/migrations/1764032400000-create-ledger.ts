import { enableRls, execute } from '@daya/postgres';
import type { MigrationInterface, QueryRunner } from 'typeorm';
import { APPEND_ONLY_FUNCTION, appendOnly } from './append-only';

/** The double-entry ledger: accounts, their balances, and transfers that nobody can change. */
const TABLES = [
  APPEND_ONLY_FUNCTION,
  `CREATE TABLE ledger_account (
     id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
     code text NOT NULL,
     asset text NOT NULL,
     kind text NOT NULL CHECK (kind IN ('wallet', 'payable', 'fee', 'escrow', 'world')),
     owner_id uuid,
     floor bigint,
     create_time timestamptz NOT NULL DEFAULT clock_timestamp(),
     CONSTRAINT ledger_account_code UNIQUE (code, asset),
     CONSTRAINT ledger_account_asset UNIQUE (id, asset),
     CONSTRAINT ledger_account_owner CHECK ((kind IN ('wallet', 'payable')) = (owner_id IS NOT NULL)))`,
  // Hot accounts have one row per lane; every change is a HOT update, so pages keep room for it.
  `CREATE TABLE ledger_balance (
     account_id bigint NOT NULL REFERENCES ledger_account (id),
     lane smallint NOT NULL,
     owner_id uuid,
     posted bigint NOT NULL DEFAULT 0,
     held bigint NOT NULL DEFAULT 0,
     floor bigint,
     version bigint NOT NULL DEFAULT 0,
     PRIMARY KEY (account_id, lane),
     CONSTRAINT ledger_balance_held CHECK (held >= 0),
     CONSTRAINT ledger_balance_floor CHECK (floor IS NULL OR posted - held >= floor)
   ) WITH (fillfactor = 45)`,
  `CREATE TABLE ledger_transfer (
     id uuid PRIMARY KEY,
     tx_id uuid NOT NULL,
     position bigint GENERATED ALWAYS AS IDENTITY,
     kind text NOT NULL CHECK (kind IN ('single', 'hold', 'post', 'release', 'expire', 'reversal')),
     cause text NOT NULL CHECK (length(cause) BETWEEN 1 AND 200),
     leg text NOT NULL CHECK (leg IN ('whole', 'provider', 'fee')),
     debit_account_id bigint NOT NULL,
     credit_account_id bigint NOT NULL,
     asset text NOT NULL,
     amount bigint NOT NULL CHECK (amount > 0),
     pending_id uuid REFERENCES ledger_transfer (id),
     original_id uuid REFERENCES ledger_transfer (id),
     payer_id uuid,
     payee_id uuid,
     create_time timestamptz NOT NULL DEFAULT clock_timestamp(),
     CONSTRAINT ledger_transfer_cause UNIQUE (kind, cause, leg),
     CONSTRAINT ledger_transfer_original UNIQUE (original_id),
     CONSTRAINT ledger_transfer_two_accounts CHECK (debit_account_id <> credit_account_id),
     CONSTRAINT ledger_transfer_debit FOREIGN KEY (debit_account_id, asset) REFERENCES ledger_account (id, asset),
     CONSTRAINT ledger_transfer_credit FOREIGN KEY (credit_account_id, asset) REFERENCES ledger_account (id, asset),
     CONSTRAINT ledger_transfer_pending CHECK (CASE kind
       WHEN 'single' THEN pending_id IS NULL
       WHEN 'hold' THEN pending_id = id
       WHEN 'reversal' THEN true
       ELSE pending_id IS NOT NULL END),
     CONSTRAINT ledger_transfer_reversal CHECK ((kind = 'reversal') = (original_id IS NOT NULL)))`,
  'CREATE INDEX ledger_transfer_pending_id ON ledger_transfer (pending_id) WHERE pending_id IS NOT NULL',
  'CREATE UNIQUE INDEX ledger_transfer_position ON ledger_transfer (position)',
  'CREATE INDEX ledger_transfer_payer ON ledger_transfer (payer_id, position) WHERE payer_id IS NOT NULL',
  'CREATE INDEX ledger_transfer_payee ON ledger_transfer (payee_id, position) WHERE payee_id IS NOT NULL',
];

const POLICIES = [
  // An account's name says nothing of money, and each party must be able to name the other side of its transfers.
  ...enableRls('ledger_account', ['owner_id'], 'true'),
  ...enableRls('ledger_balance', ['owner_id']),
  ...enableRls('ledger_transfer', ['payer_id', 'payee_id']),
  ...appendOnly('ledger_account'),
  ...appendOnly('ledger_transfer'),
];

export class CreateLedger1764032400000 implements MigrationInterface {
  name = 'CreateLedger1764032400000';

  async up(runner: QueryRunner): Promise<void> {
    await execute(runner, TABLES, POLICIES);
  }

  async down(): Promise<void> {
    throw new Error('the ledger rolls forward only');
  }
}
