import { OUTBOX_INBOX_SQL } from '@daya/messaging';
import { enableRls, execute, REQUESTS_TABLE_SQL } from '@daya/postgres';
import type { MigrationInterface, QueryRunner } from 'typeorm';

const TABLES = [
  `CREATE TABLE quote (quote_id uuid PRIMARY KEY, organisation_id uuid NOT NULL, project_id uuid NOT NULL, spec jsonb NOT NULL,
     secrets bytea, tasks jsonb NOT NULL, priced bytea NOT NULL, create_time timestamptz NOT NULL, expire_time timestamptz NOT NULL)`,
  `CREATE TABLE job (job_id uuid PRIMARY KEY, organisation_id uuid NOT NULL, project_id uuid NOT NULL,
     state text NOT NULL CHECK (state IN ('FUNDING', 'REJECTED', 'QUEUED', 'RUNNING', 'SUCCEEDED', 'FAILED', 'CANCELLED')),
     spec jsonb NOT NULL, secrets bytea, quote_id uuid CONSTRAINT job_quote UNIQUE REFERENCES quote, quote_micros bigint NOT NULL CHECK (quote_micros >= 0),
     reason text NOT NULL, canary_node_id uuid, create_time timestamptz NOT NULL, end_time timestamptz, version bigint NOT NULL,
     hold_pending boolean NOT NULL DEFAULT false, CHECK ((quote_id IS NULL) = (canary_node_id IS NOT NULL)))`,
  `CREATE INDEX job_newest ON job (organisation_id, create_time DESC, job_id DESC)`,
  `CREATE INDEX job_hold_pending ON job (create_time) WHERE hold_pending`,
  `CREATE TABLE task (task_id uuid PRIMARY KEY, job_id uuid NOT NULL REFERENCES job, organisation_id uuid NOT NULL,
     task_index integer NOT NULL CHECK (task_index >= 0),
     state text NOT NULL CHECK (state IN ('BLOCKED', 'QUEUED', 'LEASED', 'RUNNING', 'SUCCEEDED', 'FAILED', 'CANCELLED')),
     reason text NOT NULL, price_micros_max bigint NOT NULL, run_count integer NOT NULL, failure_count integer NOT NULL,
     fault_count integer NOT NULL, lost_count integer NOT NULL, used_ms bigint NOT NULL, queue_time timestamptz NOT NULL,
     UNIQUE (job_id, task_index))`,
  `CREATE INDEX task_waiting ON task (queue_time) WHERE state = 'QUEUED'`,
  `CREATE TABLE artifact (task_id uuid NOT NULL REFERENCES task, path text NOT NULL, job_id uuid NOT NULL, organisation_id uuid NOT NULL,
     run_number integer NOT NULL, bytes bigint NOT NULL CHECK (bytes >= 0), sha256 text NOT NULL, PRIMARY KEY (task_id, path))`,
  `CREATE INDEX artifact_content ON artifact (organisation_id, sha256)`,
  `CREATE INDEX artifact_job ON artifact (job_id)`,
  `CREATE TABLE blob (organisation_id uuid NOT NULL, sha256 text NOT NULL, bytes bigint NOT NULL CHECK (bytes >= 0),
     create_time timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (organisation_id, sha256))`,
];

export class CreateJobs1764032400000 implements MigrationInterface {
  name = 'CreateJobs1764032400000';

  async up(runner: QueryRunner): Promise<void> {
    await execute(runner, REQUESTS_TABLE_SQL, OUTBOX_INBOX_SQL, TABLES);
    for (const table of ['quote', 'job', 'task', 'artifact', 'blob'])
      await execute(runner, enableRls(table, ['organisation_id']));
  }

  async down(): Promise<void> {
    throw new Error('migrations roll forward only');
  }
}
