import type { MigrationInterface, QueryRunner } from 'typeorm';
import { DEFAULT_PROJECT_NAME, PLATFORM_ORGANISATION_ID, PLATFORM_PROJECT_ID } from '../../../domain/organisation';

/** The platform's own organisation and project, under ids that other services know. */
export class CreatePlatform1764032500003 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`INSERT INTO organisation VALUES ($1, 'platform', 'platform', now(), 1)`, [
      PLATFORM_ORGANISATION_ID,
    ]);
    await runner.query(`INSERT INTO project VALUES ($1, $2, NULL, $3, '{}', now(), 1)`, [
      PLATFORM_PROJECT_ID,
      PLATFORM_ORGANISATION_ID,
      DEFAULT_PROJECT_NAME,
    ]);
  }

  down(): Promise<void> {
    return Promise.reject(new Error('migrations only go forward'));
  }
}
