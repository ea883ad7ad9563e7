import { scopeOf, type Caller } from '@daya/kernel';
import { Fields } from '../domain/fields';
import type { Node } from '../domain/node';
import type { Offer } from '../domain/offer';
import type { Organisation, Project } from '../domain/organisation';
import type { Provider } from '../domain/provider';
import { found } from './caller';
import type { OfferFilter, Page, PageRequest, RegistryQueries } from './ports';

/** What a caller may see: their own organisation's objects, and what is public. A foreign object looks like a missing one. */
export class ReadRegistry {
  constructor(private readonly queries: RegistryQueries) {}

  async organisation(caller: Caller, organisationId: string): Promise<Organisation> {
    checkId('organisation_id', organisationId);
    return found(await this.queries.organisation(scopeOf(caller), organisationId), 'organisation', organisationId);
  }

  async project(caller: Caller, projectId: string): Promise<Project> {
    checkId('project_id', projectId);
    return found(await this.queries.project(scopeOf(caller), projectId), 'project', projectId);
  }

  async provider(caller: Caller, providerId: string): Promise<Provider> {
    checkId('provider_id', providerId);
    return found(await this.queries.provider(scopeOf(caller), providerId), 'provider', providerId);
  }

  async node(caller: Caller, nodeId: string): Promise<Node> {
    checkId('node_id', nodeId);
    return found(await this.queries.node(scopeOf(caller), nodeId), 'node', nodeId);
  }

  async offer(caller: Caller, offerId: string): Promise<Offer> {
    checkId('offer_id', offerId);
    return found(await this.queries.offer(scopeOf(caller), offerId), 'offer', offerId);
  }

  /** Loads pages of the market's open offers and the caller's own. */
  offers(caller: Caller, filter: OfferFilter): (page: PageRequest) => Promise<Page<Offer>> {
    return (page) => this.queries.offers(scopeOf(caller), page, filter);
  }

  /** Loads pages of the lists without filters. */
  list<K extends ListName>(caller: Caller, name: K): (page: PageRequest) => ReturnType<RegistryQueries[K]> {
    return (page) => this.queries[name](scopeOf(caller), page) as ReturnType<RegistryQueries[K]>;
  }
}

export type ListName = 'organisations' | 'teams' | 'projects' | 'members' | 'keys' | 'providers' | 'nodes' | 'models';

function checkId(field: string, value: string): void {
  const fields = new Fields();
  fields.uuid(field, value);
  fields.refuse();
}
