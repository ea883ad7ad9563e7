import { DomainError } from '@daya/kernel';
import { Fields } from '../src/domain/fields';

/** `field REASON` of every violation that `work` adds, in order. */
export function violationsOf(work: (fields: Fields) => void): string[] {
  const fields = new Fields();
  work(fields);
  try {
    fields.refuse();
    return [];
  } catch (error) {
    if (!(error instanceof DomainError)) throw error;
    return error.violations.map(({ field, reason }) => `${field} ${reason}`);
  }
}
