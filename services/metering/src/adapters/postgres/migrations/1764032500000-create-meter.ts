import { OUTBOX_INBOX_SQL } from '@daya/messaging';
import { enableRls, enableRlsWhere, execute, ORGANISATION_SQL, systemOnly } from '@daya/postgres';
import type { MigrationInterface, QueryRunner } from 'typeorm';

const PARTY_OF_LEASE = `EXISTS (SELECT 1 FROM lease l WHERE l.lease_id = usage_window.lease_id
  AND ${ORGANISATION_SQL} IN (l.organisation_id, l.provider_organisation_id))`;

export class CreateMeter1764032500000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await execute(runner, OUTBOX_INBOX_SQL, NODES, LEASES, TICKS, WINDOWS);
    await execute(
      runner,
      enableRls('lease', ['organisation_id', 'provider_organisation_id']),
      enableRlsWhere('usage_window', PARTY_OF_LEASE),
      enableRlsWhere('discrepancy', PARTY_OF_LEASE.replaceAll('usage_window', 'discrepancy')),
      ['node_key', 'node_rating', 'parked_block', 'tick', 'refused_tick'].flatMap(systemOnly),
    );
  }

  down(): Promise<void> {
    return Promise.reject(new Error('the meter is never taken down; roll forward'));
  }
}

const NODES = [
  `CREATE TABLE node_key (
    node_id uuid NOT NULL, generation integer NOT NULL, public_key bytea NOT NULL CHECK (length(public_key) = 32),
    revoke_time timestamptz, PRIMARY KEY (node_id, generation))`,
  `CREATE TABLE node_rating (
    node_id uuid NOT NULL, gpu_model_id text NOT NULL, mscu integer NOT NULL CHECK (mscu >= 0), PRIMARY KEY (node_id, gpu_model_id))`,
  `CREATE TABLE parked_block (
    block_sha256 bytea PRIMARY KEY, node_id uuid NOT NULL, generation integer NOT NULL, block bytea NOT NULL, signature bytea NOT NULL,
    receive_time timestamptz NOT NULL)`,
  `CREATE INDEX parked_block_key ON parked_block (node_id, generation, receive_time)`,
];

const LEASES = [
  `CREATE TABLE lease (
    lease_id uuid PRIMARY KEY, lease_token bigint NOT NULL, node_id uuid NOT NULL, organisation_id uuid NOT NULL,
    provider_organisation_id uuid NOT NULL, job_id uuid NOT NULL, gpu_milli integer NOT NULL CHECK (gpu_milli > 0),
    gpu_model_id text NOT NULL DEFAULT '', mscu integer NOT NULL, start_time timestamptz, expire_time timestamptz NOT NULL, end_time timestamptz,
    lost boolean NOT NULL DEFAULT false, due_time timestamptz)`,
  `CREATE INDEX lease_due ON lease (due_time) WHERE due_time IS NOT NULL`,
  `CREATE INDEX lease_job ON lease (job_id)`,
  `CREATE INDEX lease_unrated ON lease (node_id) WHERE mscu = 0`,
];

const TICKS = [
  `CREATE TABLE tick (
    node_id uuid NOT NULL, boot_id uuid NOT NULL, sequence bigint NOT NULL, lease_id uuid NOT NULL, lease_token bigint NOT NULL,
    cumulative_ms bigint NOT NULL, final boolean NOT NULL, receive_time timestamptz NOT NULL,
    state text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'accepted', 'refused')),
    PRIMARY KEY (node_id, boot_id, sequence))`,
  `CREATE INDEX tick_lease ON tick (lease_id, state)`,
  `CREATE TABLE refused_tick (
    position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, node_id uuid NOT NULL, boot_id uuid NOT NULL, sequence bigint NOT NULL,
    lease_id uuid NOT NULL, lease_token bigint NOT NULL, cumulative_ms bigint NOT NULL, reason text NOT NULL,
    receive_time timestamptz NOT NULL, UNIQUE (node_id, boot_id, sequence, reason, cumulative_ms, lease_id))`,
];

const WINDOWS = [
  `CREATE TABLE usage_window (
    lease_id uuid NOT NULL REFERENCES lease, window_start timestamptz NOT NULL, window_end timestamptz NOT NULL CHECK (window_end >= window_start),
    version integer NOT NULL, usage_id uuid NOT NULL UNIQUE, scheduler_ms bigint NOT NULL, agent_ms bigint NOT NULL,
    billable_ms bigint NOT NULL CHECK (billable_ms >= 0), agent_cumulative_ms bigint NOT NULL, billable_cumulative_ms bigint NOT NULL,
    mscu_ms bigint NOT NULL, final boolean NOT NULL, estimated boolean NOT NULL, record_time timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (lease_id, window_start))`,
  `CREATE TABLE discrepancy (
    discrepancy_id uuid PRIMARY KEY DEFAULT gen_random_uuid(), lease_id uuid NOT NULL UNIQUE REFERENCES lease, scheduler_ms bigint NOT NULL,
    agent_ms bigint NOT NULL, charged_ms bigint NOT NULL, create_time timestamptz NOT NULL DEFAULT now())`,
];
