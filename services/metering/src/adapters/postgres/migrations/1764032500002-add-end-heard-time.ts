import { execute } from '@daya/postgres';
import type { MigrationInterface, QueryRunner } from 'typeorm';

/** When the meter heard of a lease's end: null of leases that ended before this column, whose end itself counts then. */
export class AddEndHeardTime1764032500002 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await execute(runner, ['ALTER TABLE lease ADD COLUMN end_heard_time timestamptz']);
  }

  down(): Promise<void> {
    return Promise.reject(new Error('the meter is never taken down; roll forward'));
  }
}
