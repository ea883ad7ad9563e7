import { enableRls, execute, systemOnly } from '@daya/postgres';
import type { MigrationInterface, QueryRunner } from 'typeorm';

const TABLES = [
  // The writer that holds the range: every batch of leases compares it under FOR SHARE, a new writer moves it on.
  `CREATE TABLE placement_range (shard smallint PRIMARY KEY, range_id bigint NOT NULL)`,
  `INSERT INTO placement_range (shard, range_id) VALUES (0, 0)`,
  `CREATE TABLE lease (lease_id uuid PRIMARY KEY, lease_token bigint NOT NULL CHECK (lease_token > 0), node_id uuid NOT NULL,
     provider_id uuid NOT NULL, provider_organisation_id uuid NOT NULL, organisation_id uuid NOT NULL, project_id uuid NOT NULL,
     job_id uuid NOT NULL REFERENCES job, task_id uuid NOT NULL REFERENCES task, task_index integer NOT NULL, run_number integer NOT NULL,
     member_index integer NOT NULL DEFAULT 0, offer_id uuid, offer_version bigint NOT NULL, gpu_model_id text NOT NULL,
     gpu_uuids text[] NOT NULL, gpu_milli integer NOT NULL CHECK (gpu_milli > 0), price_micros_per_gpu_hour bigint NOT NULL,
     emulated boolean NOT NULL, canary boolean NOT NULL, cpu_milli integer NOT NULL, memory_mib integer NOT NULL, scratch_mib integer NOT NULL,
     grant_time timestamptz NOT NULL, answer_time timestamptz NOT NULL, max_run_ms bigint NOT NULL,
     end_time timestamptz, closed_at timestamptz, CHECK (closed_at IS NULL OR end_time IS NOT NULL),
     CONSTRAINT lease_token_once UNIQUE (node_id, lease_token), CONSTRAINT lease_run_once UNIQUE (task_id, run_number, member_index))`,
  `CREATE UNIQUE INDEX lease_task_open ON lease (task_id, member_index) WHERE closed_at IS NULL`,
  `CREATE INDEX lease_job ON lease (job_id)`,
  `CREATE TABLE lease_gpu (lease_id uuid NOT NULL REFERENCES lease, gpu_uuid text NOT NULL, node_id uuid NOT NULL, closed_at timestamptz,
     PRIMARY KEY (lease_id, gpu_uuid))`,
  `CREATE UNIQUE INDEX lease_gpu_open ON lease_gpu (gpu_uuid) WHERE closed_at IS NULL`,
  `CREATE TABLE lease_renewal (lease_id uuid PRIMARY KEY REFERENCES lease, expire_time timestamptz NOT NULL)`,
  `CREATE TABLE run (lease_id uuid PRIMARY KEY REFERENCES lease, task_id uuid NOT NULL REFERENCES task, run_number integer NOT NULL,
     job_id uuid NOT NULL REFERENCES job, organisation_id uuid NOT NULL,
     state text NOT NULL CHECK (state IN ('OFFERED', 'ACCEPTED', 'RUNNING', 'SUCCEEDED', 'FAILED', 'CANCELLED', 'LOST', 'REFUSED')),
     start_time timestamptz, exit_code integer NOT NULL DEFAULT 0, reason text NOT NULL DEFAULT '',
     fault text CHECK (fault IN ('NONE', 'CUSTOMER', 'PROVIDER', 'PLATFORM')),
     stop_reason text CHECK (stop_reason IN ('CANCELLED', 'EXPIRED', 'SUPERSEDED')), event_version bigint NOT NULL DEFAULT 1,
     UNIQUE (task_id, run_number))`,
  `CREATE INDEX run_job ON run (job_id)`,
  `CREATE INDEX run_open ON run (job_id) WHERE state IN ('OFFERED', 'ACCEPTED', 'RUNNING')`,
  `CREATE INDEX run_stop ON run (lease_id) WHERE stop_reason IS NOT NULL AND state IN ('OFFERED', 'ACCEPTED', 'RUNNING')`,
  `CREATE TABLE lease_report (node_id uuid NOT NULL, report_id text NOT NULL, lease_id uuid NOT NULL, lease_token bigint NOT NULL,
     kind text NOT NULL, exit_reason text NOT NULL, cumulative_ms bigint NOT NULL, outcome text NOT NULL, reason text NOT NULL,
     receive_time timestamptz NOT NULL, record_time timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (node_id, report_id))`,
  `CREATE INDEX lease_report_lease ON lease_report (lease_id)`,
];

const MARKET = [
  `CREATE TABLE node_view (node_id uuid PRIMARY KEY, provider_id uuid NOT NULL, organisation_id uuid NOT NULL, region text NOT NULL,
     emulated boolean NOT NULL, schedulable boolean NOT NULL, admitted boolean NOT NULL, gpus jsonb NOT NULL, cpu_milli integer NOT NULL,
     memory_mib integer NOT NULL, scratch_mib integer NOT NULL, network_allowed boolean NOT NULL, version bigint NOT NULL)`,
  `CREATE TABLE offer_view (offer_id uuid PRIMARY KEY, node_id uuid NOT NULL, provider_id uuid NOT NULL, organisation_id uuid NOT NULL,
     gpu_model_id text NOT NULL, price_micros_per_gpu_hour bigint NOT NULL, region text NOT NULL, reliability_bps integer NOT NULL,
     min_rental_seconds integer NOT NULL, max_rental_seconds integer NOT NULL, network_allowed boolean NOT NULL, open boolean NOT NULL,
     emulated boolean NOT NULL, version bigint NOT NULL)`,
  `CREATE TABLE node_liveness (node_id uuid PRIMARY KEY, connectivity text NOT NULL CHECK (connectivity IN ('ONLINE', 'SUSPECT', 'LOST')),
     since_time timestamptz NOT NULL)`,
];

/** A granted lease is a fact: only its end and its closing are written later. */
const RIGHTS = [
  `REVOKE UPDATE, DELETE ON lease FROM scheduler, scheduler_system`,
  `GRANT UPDATE (end_time, closed_at) ON lease TO scheduler, scheduler_system`,
  `REVOKE UPDATE, DELETE ON lease_report FROM scheduler, scheduler_system`,
];

export class CreateLeases1764032400001 implements MigrationInterface {
  name = 'CreateLeases1764032400001';

  async up(runner: QueryRunner): Promise<void> {
    await execute(runner, TABLES, MARKET, RIGHTS);
    await execute(
      runner,
      enableRls('lease', ['organisation_id', 'provider_organisation_id']),
      enableRls('run', ['organisation_id']),
    );
    const parent = `EXISTS (SELECT 1 FROM run r WHERE r.lease_id = lease_renewal.lease_id)`;
    await execute(runner, [
      `ALTER TABLE lease_renewal ENABLE ROW LEVEL SECURITY`,
      `CREATE POLICY lease_renewal_parties ON lease_renewal FOR ALL USING (${parent}) WITH CHECK (${parent})`,
    ]);
    for (const table of ['placement_range', 'lease_gpu', 'lease_report', 'node_view', 'offer_view', 'node_liveness']) {
      await execute(runner, systemOnly(table));
    }
  }

  async down(): Promise<void> {
    throw new Error('migrations roll forward only');
  }
}
