import { write } from '@daya/postgres';
import type { EntityManager } from 'typeorm';
import type { Tenants } from '../../application/ports';
import type { Member } from '../../domain/member';
import type { Organisation, Project, Team } from '../../domain/organisation';
import { MEMBERS, ORGANISATIONS, PROJECTS, TEAMS } from './tables';

export class PostgresTenants implements Tenants {
  constructor(private readonly em: EntityManager) {}

  addOrganisation(organisation: Organisation): Promise<void> {
    return ORGANISATIONS.insert(this.em, organisation);
  }

  lockOrganisation(organisationId: string): Promise<Organisation | undefined> {
    return ORGANISATIONS.first(this.em, 'WHERE organisation_id = $1 FOR UPDATE', [organisationId]);
  }

  saveOrganisation(organisation: Organisation): Promise<void> {
    return ORGANISATIONS.update(this.em, organisation);
  }

  addTeam(team: Team): Promise<void> {
    return TEAMS.insert(this.em, team);
  }

  team(teamId: string): Promise<Team | undefined> {
    return TEAMS.first(this.em, 'WHERE team_id = $1', [teamId]);
  }

  addProject(project: Project): Promise<void> {
    return PROJECTS.insert(this.em, project);
  }

  lockProject(projectId: string): Promise<Project | undefined> {
    return PROJECTS.first(this.em, 'WHERE project_id = $1 FOR UPDATE', [projectId]);
  }

  saveProject(project: Project): Promise<void> {
    return PROJECTS.update(this.em, project);
  }

  member(memberId: string): Promise<Member | undefined> {
    return MEMBERS.first(this.em, 'WHERE member_id = $1', [memberId]);
  }

  memberByEmail(organisationId: string, email: string): Promise<Member | undefined> {
    return MEMBERS.first(this.em, 'WHERE organisation_id = $1 AND email = $2', [organisationId, email]);
  }

  async ownerCount(organisationId: string): Promise<number> {
    const rows: { count: number }[] = await this.em.query(
      `SELECT count(*)::int AS count FROM member WHERE organisation_id = $1 AND role = 'owner'`,
      [organisationId],
    );
    return rows[0]?.count ?? 0;
  }

  async putMember(member: Member): Promise<void> {
    if (await this.member(member.memberId)) await MEMBERS.update(this.em, member);
    else await MEMBERS.insert(this.em, member);
  }

  async removeMember(memberId: string): Promise<void> {
    await write(this.em, 'DELETE FROM member WHERE member_id = $1', [memberId]);
  }
}
