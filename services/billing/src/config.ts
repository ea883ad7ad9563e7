import { baseConfigShape, databaseConfigShape, kafkaConfigShape } from '@daya/nest';
import { z } from 'zod';

export const configSchema = z.object({
  ...baseConfigShape,
  ...databaseConfigShape,
  ...kafkaConfigShape,
  /** The platform's part of every price, of 10,000. Holds keep the one they were placed under. */
  FEE_BPS: z.coerce.number().int().min(0).max(10_000).default(500),
  /** Named in every quote. */
  FEE_POLICY_VERSION: z.string().max(64).default('2026-01'),
});
export type Config = z.infer<typeof configSchema>;

/** All that `node dist/main.js migrate` needs. */
export const migrateSchema = z.object({ DATABASE_OWNER_URL: databaseConfigShape.DATABASE_OWNER_URL.unwrap() });
