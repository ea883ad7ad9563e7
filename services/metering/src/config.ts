import { baseConfigShape, databaseConfigShape, kafkaConfigShape } from '@daya/nest';
import { z } from 'zod';

export const configSchema = z.object({ ...baseConfigShape, ...databaseConfigShape, ...kafkaConfigShape });
export type Config = z.infer<typeof configSchema>;

/** All that `node dist/main.js migrate` needs. */
export const migrateSchema = z.object({ DATABASE_OWNER_URL: databaseConfigShape.DATABASE_OWNER_URL.unwrap() });
