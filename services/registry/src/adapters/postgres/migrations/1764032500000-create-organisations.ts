import { OUTBOX_INBOX_SQL } from '@daya/messaging';
import { enableRls, execute, REQUESTS_TABLE_SQL } from '@daya/postgres';
import type { MigrationInterface, QueryRunner } from 'typeorm';

const ORGANISATIONS = `
CREATE TABLE organisation (
  organisation_id uuid PRIMARY KEY, display_name text NOT NULL,
  kind text NOT NULL CHECK (kind IN ('customer', 'provider', 'platform')),
  create_time timestamptz NOT NULL, version bigint NOT NULL CHECK (version >= 1));
CREATE TABLE team (
  team_id uuid PRIMARY KEY, organisation_id uuid NOT NULL REFERENCES organisation, display_name text NOT NULL,
  create_time timestamptz NOT NULL);
CREATE TABLE project (
  project_id uuid PRIMARY KEY, organisation_id uuid NOT NULL REFERENCES organisation, team_id uuid REFERENCES team,
  display_name text NOT NULL, labels jsonb NOT NULL, create_time timestamptz NOT NULL, version bigint NOT NULL CHECK (version >= 1));
CREATE TABLE member (
  member_id uuid PRIMARY KEY, organisation_id uuid NOT NULL REFERENCES organisation, email text NOT NULL,
  role text NOT NULL CHECK (role IN ('viewer', 'member', 'admin', 'owner')), team_id uuid REFERENCES team,
  create_time timestamptz NOT NULL, CONSTRAINT member_email UNIQUE (organisation_id, email));
CREATE TABLE api_key (
  key_id uuid PRIMARY KEY, organisation_id uuid NOT NULL REFERENCES organisation, display_name text NOT NULL,
  prefix text NOT NULL UNIQUE, role text NOT NULL CHECK (role IN ('viewer', 'member', 'admin', 'owner')), scopes text[] NOT NULL,
  secret_hash text NOT NULL, create_time timestamptz NOT NULL, expire_time timestamptz NOT NULL, revoke_time timestamptz);
CREATE INDEX team_organisation ON team (organisation_id, team_id);
CREATE INDEX project_organisation ON project (organisation_id, project_id);
CREATE INDEX member_organisation ON member (organisation_id, member_id);
CREATE INDEX api_key_organisation ON api_key (organisation_id, key_id);
`;

/** Organisations and what hangs on them, and the tables of requests and messages. */
export class CreateOrganisations1764032500000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await execute(runner, REQUESTS_TABLE_SQL, OUTBOX_INBOX_SQL, ORGANISATIONS);
    for (const table of ['organisation', 'team', 'project', 'member', 'api_key'])
      await execute(runner, enableRls(table, ['organisation_id']));
  }

  down(): Promise<void> {
    return Promise.reject(new Error('migrations only go forward'));
  }
}
