import { CreateLedger1764032400000 } from './1764032400000-create-ledger';
import { CreateCharges1764032400001 } from './1764032400001-create-charges';
import { CreateAuditors1764032400002 } from './1764032400002-create-auditors';
import { AddNotes1764032400003 } from './1764032400003-add-notes';

/** In order. */
export const MIGRATIONS = [
  CreateLedger1764032400000,
  CreateCharges1764032400001,
  CreateAuditors1764032400002,
  AddNotes1764032400003,
] as const;

export { BILLING_AUDITORS } from './1764032400002-create-auditors';
