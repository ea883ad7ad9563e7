import { enableRls, enableRlsWhere, execute } from '@daya/postgres';
import type { MigrationInterface, QueryRunner } from 'typeorm';

const FLEET = `
CREATE TABLE provider (
  provider_id uuid PRIMARY KEY, organisation_id uuid NOT NULL REFERENCES organisation, display_name text NOT NULL,
  kind text NOT NULL CHECK (kind IN ('individual', 'institution')), reward_address text NOT NULL,
  create_time timestamptz NOT NULL, version bigint NOT NULL CHECK (version >= 1),
  CONSTRAINT provider_organisation UNIQUE (organisation_id));
CREATE TABLE enrolment_token (
  token_id uuid PRIMARY KEY, prefix text NOT NULL UNIQUE, organisation_id uuid NOT NULL REFERENCES organisation,
  provider_id uuid NOT NULL REFERENCES provider, display_name text NOT NULL, region text NOT NULL, emulated boolean NOT NULL,
  secret_hash text NOT NULL, create_time timestamptz NOT NULL, expire_time timestamptz NOT NULL, node_id uuid UNIQUE,
  request_hash text, CHECK ((node_id IS NULL) = (request_hash IS NULL)));
CREATE TABLE node (
  node_id uuid PRIMARY KEY, provider_id uuid NOT NULL REFERENCES provider, organisation_id uuid NOT NULL REFERENCES organisation,
  display_name text NOT NULL, region text NOT NULL, emulated boolean NOT NULL, inventory jsonb, inventory_generation integer NOT NULL,
  connectivity text CHECK (connectivity IN ('online', 'suspect', 'lost')), connectivity_time timestamptz,
  owner_reason text NOT NULL CHECK (owner_reason IN ('none', 'draining', 'maintenance')), gpu_conflict boolean NOT NULL,
  admission_state text NOT NULL CHECK (admission_state IN ('pending', 'admitted', 'refused')), admission_reason text NOT NULL,
  admission_time timestamptz, canary_job_id uuid, canary_due_time timestamptz, canary_attempts integer NOT NULL,
  trust_tier text NOT NULL CHECK (trust_tier IN ('unverified', 'probation', 'verified', 'attested')),
  certificate_generation integer NOT NULL CHECK (certificate_generation >= 1), certificate_expire_time timestamptz NOT NULL,
  revoke_time timestamptz, revoke_reason text NOT NULL, create_time timestamptz NOT NULL,
  version bigint NOT NULL CHECK (version >= 1), announce boolean NOT NULL DEFAULT false);
CREATE INDEX node_organisation ON node (organisation_id, node_id);
CREATE INDEX node_canary_due ON node (canary_due_time) WHERE canary_due_time IS NOT NULL;
CREATE INDEX node_announce ON node (node_id) WHERE announce;
CREATE TABLE node_certificate (
  node_id uuid NOT NULL REFERENCES node, generation integer NOT NULL CHECK (generation >= 1),
  public_key text NOT NULL CHECK (public_key ~ '^[0-9a-f]{64}$'), certificate_chain text NOT NULL, request_hash text NOT NULL,
  issue_time timestamptz NOT NULL, expire_time timestamptz NOT NULL CHECK (expire_time <= issue_time + interval '24 hours'),
  PRIMARY KEY (node_id, generation));
-- A row binds an identity to its active node; rows of revoked nodes are deleted.
CREATE TABLE gpu_binding (uuid text PRIMARY KEY, serial text NOT NULL, node_id uuid NOT NULL REFERENCES node);
CREATE UNIQUE INDEX gpu_binding_serial ON gpu_binding (serial) WHERE serial <> '';
CREATE INDEX gpu_binding_node ON gpu_binding (node_id);
CREATE TABLE lease_history (
  node_id uuid PRIMARY KEY REFERENCES node, ended_count bigint NOT NULL,
  provider_fault_count bigint NOT NULL CHECK (provider_fault_count BETWEEN 0 AND ended_count));
`;

const ofOwnNode = (table: string): string => `EXISTS (SELECT 1 FROM node WHERE node.node_id = ${table}.node_id)`;

/** Providers, enrolment, nodes, certificates, GPU identities. */
export class CreateFleet1764032500001 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await execute(runner, FLEET);
    for (const table of ['provider', 'enrolment_token', 'node'])
      await execute(runner, enableRls(table, ['organisation_id']));
    // The condition reads node under the caller's own policy.
    for (const table of ['node_certificate', 'gpu_binding', 'lease_history'])
      await execute(runner, enableRlsWhere(table, ofOwnNode(table)));
  }

  down(): Promise<void> {
    return Promise.reject(new Error('migrations only go forward'));
  }
}
