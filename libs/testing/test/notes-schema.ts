import { enableRls, execute, REQUESTS_TABLE_SQL } from '@daya/postgres';
import { OUTBOX_INBOX_SQL } from '@daya/messaging';
import type { MigrationInterface, QueryRunner } from 'typeorm';

/** A service that is none of Daya's: notes with an owner and a reader, and what every service has. */
export class Notes1760000000001 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await execute(
      runner,
      REQUESTS_TABLE_SQL,
      OUTBOX_INBOX_SQL,
      `CREATE TABLE note (note_id text PRIMARY KEY, owner_id uuid NOT NULL, reader_id uuid, text text NOT NULL, open boolean NOT NULL DEFAULT false)`,
      enableRls('note', ['owner_id', 'reader_id'], 'open'),
      `CREATE TABLE tally (name text PRIMARY KEY, count bigint NOT NULL, history text[] NOT NULL DEFAULT '{}')`,
    );
  }

  async down(): Promise<void> {
    // Rolled forward only.
  }
}

export const NOTES = [Notes1760000000001];
