import { CreateOrganisations1764032500000 } from './1764032500000-create-organisations';
import { CreateFleet1764032500001 } from './1764032500001-create-fleet';
import { CreateMarket1764032500002 } from './1764032500002-create-market';
import { CreatePlatform1764032500003 } from './1764032500003-create-platform';
import { AddScopes1764032500004 } from './1764032500004-add-scopes';

/** In order. */
export const MIGRATIONS = [
  CreateOrganisations1764032500000,
  CreateFleet1764032500001,
  CreateMarket1764032500002,
  CreatePlatform1764032500003,
  AddScopes1764032500004,
] as const;
