import { baseConfigShape, databaseConfigShape, flag, kafkaConfigShape, peerUrl } from '@daya/nest';
import { z } from 'zod';

const secret = z.string().min(32, 'must have at least 32 characters');

/** What the command bootstrap-operator needs. */
export const bootstrapSchema = z.object({
  DATABASE_URL: databaseConfigShape.DATABASE_URL,
  DATABASE_SYSTEM_URL: databaseConfigShape.DATABASE_SYSTEM_URL,
  /** Keys of the hashes of API keys and enrolment tokens. With another pepper all of them stop working. */
  API_KEY_PEPPER: secret,
});
export type BootstrapConfig = z.infer<typeof bootstrapSchema>;

export const configSchema = z.object({
  ...baseConfigShape,
  ...databaseConfigShape,
  ...kafkaConfigShape,
  ...bootstrapSchema.shape,
  SCHEDULER_URL: peerUrl,
  /** The authority that signs nodes' certificates, PEM. */
  CA_CERTIFICATE_FILE: z.string(),
  CA_KEY_FILE: z.string(),
  /** A JobSpec in JSON: what a node must run before it enters the market. */
  CANARY_JOB_FILE: z.string(),
  /** Takes nodes whose GPUs are declared and not real. */
  ALLOW_EMULATED_GPUS: flag.default(false),
});
export type Config = z.infer<typeof configSchema>;

/** What the command migrate needs. */
export const migrateSchema = z.object({ DATABASE_OWNER_URL: databaseConfigShape.DATABASE_OWNER_URL.unwrap() });
