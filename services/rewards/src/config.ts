import { readFileSync } from 'node:fs';
import { DomainError } from '@daya/kernel';
import { baseConfigShape, databaseConfigShape, kafkaConfigShape } from '@daya/nest';
import { z } from 'zod';
import { parseParameters, type Parameters } from './domain/parameters';

const seconds = z.coerce.number().int();

export const configSchema = z.object({
  ...baseConfigShape,
  ...databaseConfigShape,
  ...kafkaConfigShape,
  /** Length of an epoch; may not change once the first has begun. */
  EPOCH_SECONDS: seconds.min(1).max(86_400).default(3_600),
  /** An epoch closes no earlier than this after its end. */
  EPOCH_GRACE_SECONDS: seconds.min(0).max(86_400).default(600),
  /** The operator's parameters (JSON); see parameters/ for examples. */
  REWARD_PARAMETERS_FILE: z.string(),
  /** Where epochs are published. */
  PUBLICATION_FOLDER: z.string(),
});

export type Config = z.infer<typeof configSchema>;

/** The operator's file with the epoch's timing. Throws an Error that lists everything wrong with the file. */
export function loadParameters({
  REWARD_PARAMETERS_FILE: path,
  EPOCH_SECONDS,
  EPOCH_GRACE_SECONDS,
}: Config): Parameters {
  const operator = JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>;
  try {
    return parseParameters({
      ...operator,
      epoch_seconds: String(EPOCH_SECONDS),
      grace_seconds: String(EPOCH_GRACE_SECONDS),
    });
  } catch (error) {
    if (!(error instanceof DomainError)) throw error;
    const lines = error.violations.map(({ field, description }) => `  - ${field}: ${description}`);
    throw new Error(`REWARD_PARAMETERS_FILE has ${lines.length} problem(s):\n${lines.join('\n')}`);
  }
}
