import { baseConfigShape, databaseConfigShape, kafkaConfigShape, peerUrl, redisConfigShape } from '@daya/nest';
import { z } from 'zod';

const isPowerOfTwo = (count: number): boolean => (count & (count - 1)) === 0;

export const configSchema = z.object({
  ...baseConfigShape,
  ...databaseConfigShape,
  ...kafkaConfigShape,
  ...redisConfigShape,
  BILLING_URL: peerUrl,
  REGISTRY_URL: peerUrl,
  /** Queues between scheduler and dispatch; the same number there. */
  DISPATCH_QUEUE_COUNT: z.coerce
    .number()
    .int()
    .min(1)
    .max(256)
    .refine(isPowerOfTwo, 'is not a power of two')
    .default(8),
  /** AES-256 key for customers' secrets at rest: 32 bytes as 64 hexadecimal digits. */
  SECRETS_KEY: z.string().regex(/^[0-9a-f]{64}$/, 'is not 64 hexadecimal digits'),
});
export type Config = z.infer<typeof configSchema>;

/** All that `node dist/main.js migrate` needs. */
export const migrateSchema = z.object({ DATABASE_OWNER_URL: databaseConfigShape.DATABASE_OWNER_URL.unwrap() });
