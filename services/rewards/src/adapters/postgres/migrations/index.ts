import { CreateEpochs1764000000000 } from './1764000000000-create-epochs';
import { CreateAudits1764000001000 } from './1764000001000-create-audits';

/** In order. */
export const MIGRATIONS = [CreateEpochs1764000000000, CreateAudits1764000001000] as const;

export { REWARDS_AUDITORS } from './1764000001000-create-audits';
