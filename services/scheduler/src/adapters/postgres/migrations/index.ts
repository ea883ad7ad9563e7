import { CreateJobs1764032400000 } from './1764032400000-create-jobs';
import { CreateLeases1764032400001 } from './1764032400001-create-leases';
import { CreateAuditors1764032400002 } from './1764032400002-create-auditors';

/** In order. */
export const MIGRATIONS = [CreateJobs1764032400000, CreateLeases1764032400001, CreateAuditors1764032400002] as const;
