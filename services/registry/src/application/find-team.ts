import { found } from './caller';
import type { Transaction } from './ports';

/** The team of that id in the organisation; none for the empty id. Throws `not-found` TEAM_NOT_FOUND. */
export async function findTeam(tx: Transaction, organisationId: string, teamId: string): Promise<string | undefined> {
  if (teamId === '') return undefined;
  const team = await tx.tenants.team(teamId);
  return found(team?.organisationId === organisationId ? team : undefined, 'team', teamId).teamId;
}
