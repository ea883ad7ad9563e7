import type { Scope } from '@daya/kernel';
import type { ScopedTransactions } from '@daya/postgres';
import { RegistryQueries, type OfferFilter, type Page, type PageRequest } from '../../application/ports';
import type { ApiKey } from '../../domain/api-key';
import type { GpuModel } from '../../domain/gpu-model';
import type { Member } from '../../domain/member';
import type { Node } from '../../domain/node';
import type { Offer } from '../../domain/offer';
import type { Organisation, Project, Team } from '../../domain/organisation';
import type { Provider } from '../../domain/provider';
import { RATED_MODELS } from './gpu-models';
import type { Table } from './table';
import { API_KEYS, MEMBERS, NODES, OFFERS, ORGANISATIONS, PROJECTS, PROVIDERS, TEAMS } from './tables';

export class PostgresQueries extends RegistryQueries {
  constructor(private readonly transactions: ScopedTransactions) {
    super();
  }

  override organisation(scope: Scope, organisationId: string): Promise<Organisation | undefined> {
    return this.one(scope, ORGANISATIONS, 'organisation_id', organisationId);
  }

  override organisations(scope: Scope, page: PageRequest): Promise<Page<Organisation>> {
    return this.page(scope, ORGANISATIONS, 'organisation_id', page, (row) => row.organisationId);
  }

  override teams(scope: Scope, page: PageRequest): Promise<Page<Team>> {
    return this.page(scope, TEAMS, 'team_id', page, (row) => row.teamId);
  }

  override project(scope: Scope, projectId: string): Promise<Project | undefined> {
    return this.one(scope, PROJECTS, 'project_id', projectId);
  }

  override projects(scope: Scope, page: PageRequest): Promise<Page<Project>> {
    return this.page(scope, PROJECTS, 'project_id', page, (row) => row.projectId);
  }

  override members(scope: Scope, page: PageRequest): Promise<Page<Member>> {
    return this.page(scope, MEMBERS, 'member_id', page, (row) => row.memberId);
  }

  override keys(scope: Scope, page: PageRequest): Promise<Page<ApiKey>> {
    return this.page(scope, API_KEYS, 'key_id', page, (row) => row.keyId);
  }

  override provider(scope: Scope, providerId: string): Promise<Provider | undefined> {
    return this.one(scope, PROVIDERS, 'provider_id', providerId);
  }

  override providers(scope: Scope, page: PageRequest): Promise<Page<Provider>> {
    return this.page(scope, PROVIDERS, 'provider_id', page, (row) => row.providerId);
  }

  override node(scope: Scope, nodeId: string): Promise<Node | undefined> {
    return this.one(scope, NODES, 'node_id', nodeId);
  }

  override nodes(scope: Scope, page: PageRequest): Promise<Page<Node>> {
    return this.page(scope, NODES, 'node_id', page, (row) => row.nodeId);
  }

  override offer(scope: Scope, offerId: string): Promise<Offer | undefined> {
    return this.one(scope, OFFERS, 'offer_id', offerId);
  }

  override offers(scope: Scope, page: PageRequest, { gpuModelId, region }: OfferFilter): Promise<Page<Offer>> {
    const filter = `($3 = '' OR gpu_model_id = $3) AND ($4 = '' OR region = $4)`;
    return this.page(scope, OFFERS, 'offer_id', page, (row) => row.offerId, filter, [gpuModelId, region]);
  }

  override models(scope: Scope, page: PageRequest): Promise<Page<GpuModel>> {
    return this.page(scope, RATED_MODELS, 'gpu_model_id', page, (row) => row.gpuModelId);
  }

  private one<T extends object>(scope: Scope, table: Table<T>, key: string, id: string): Promise<T | undefined> {
    return this.transactions.run(scope, (em) => table.first(em, `WHERE ${key} = $1`, [id]));
  }

  /** One row more than asked for tells whether there is another page. */
  private async page<T extends object>(
    scope: Scope,
    table: Table<T>,
    key: string,
    { size, after }: PageRequest,
    idOf: (row: T) => string,
    filter = 'true',
    values: readonly string[] = [],
  ): Promise<Page<T>> {
    const type = key === 'gpu_model_id' ? 'text' : 'uuid';
    const condition = `WHERE ($1::${type} IS NULL OR ${key} > $1::${type}) AND ${filter} ORDER BY ${key} LIMIT $2`;
    const rows = await this.transactions.run(scope, (em) =>
      table.select(em, condition, [after ?? null, size + 1, ...values]),
    );
    const shown = rows.slice(0, size);
    const last = shown.at(-1);
    return { rows: shown, next: rows.length > size && last !== undefined ? idOf(last) : undefined };
  }
}
