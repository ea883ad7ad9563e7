import { CreateMeter1764032500000 } from './1764032500000-create-meter';
import { CreateAuditors1764032500001 } from './1764032500001-create-auditors';
import { AddEndHeardTime1764032500002 } from './1764032500002-add-end-heard-time';

/** In order. */
export const MIGRATIONS = [
  CreateMeter1764032500000,
  CreateAuditors1764032500001,
  AddEndHeardTime1764032500002,
] as const;

export { METERING_AUDITORS } from './1764032500001-create-auditors';
