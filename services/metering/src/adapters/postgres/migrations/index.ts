import { CreateMeter1764032500000 } from './1764032500000-create-meter';
import { CreateAuditors1764032500001 } from './1764032500001-create-auditors';

/** In order. */
export const MIGRATIONS = [CreateMeter1764032500000, CreateAuditors1764032500001] as const;

export { METERING_AUDITORS } from './1764032500001-create-auditors';
