import { randomUUID } from 'node:crypto';
import { createClient, type GrpcClient } from '@daya/nest/client';
import type { ServiceDefinition } from '@daya/nest';
import { SCOPES } from '@daya/proto';
import { BillingServiceService } from '@daya/proto/billing';
import {
  OrganisationKind,
  OrganisationServiceService,
  ProviderKind,
  ProviderServiceService,
} from '@daya/proto/registry';
import { eventually } from '@daya/testing';
import type { Who } from './control';
import { Identities, type Member } from './identities';
import { addressOf, type Platform } from './platform';

const PLATFORM_ORGANISATION = '00000000-0000-7000-8000-000000000001';
/** The machine may be busy with other tests. */
export const PATIENT = { deadlineMs: 20_000 } as const;
const PATIENCE_MS = 60_000;

export interface Tenant {
  readonly organisationId: string;
  readonly projectId: string;
  readonly keySecret: string;
}

/** A customer with money and a provider, and clients that speak for them. Each part is made when first asked for. */
export class Tenants {
  readonly identities: Identities;
  private readonly made = new Map<string, Promise<unknown>>();
  private readonly clients = new Map<string, { onModuleDestroy(): void }>();

  constructor(readonly platform: Platform) {
    this.identities = new Identities(platform);
  }

  requestId(): string {
    return randomUUID();
  }

  /** The member that `who` is, or undefined for services, nodes and strangers. */
  async member(who: Who): Promise<Member | undefined> {
    if (who === 'operator') return member(PLATFORM_ORGANISATION, true);
    if (who === 'customer') return member((await this.customer()).organisationId, false);
    if (who === 'provider') return member((await this.provider()).organisationId, false);
    return undefined;
  }

  /** A member of an organisation that has done nothing yet. */
  async newcomer(): Promise<Member> {
    return member((await this.tenant(OrganisationKind.PROVIDER)).organisationId, false);
  }

  customer = this.once('customer', async () => {
    const tenant = await this.tenant(OrganisationKind.CUSTOMER);
    const amount = { asset: 'USD', amount: 1_000_000_000n };
    const deposit = {
      requestId: this.requestId(),
      organisationId: tenant.organisationId,
      amount,
      bankReference: `bank ${this.requestId()}`,
    };
    await this.as('operator', 'billing', BillingServiceService, (client, options) =>
      client.recordDeposit(deposit, options),
    );
    return tenant;
  });

  provider = this.once('provider', async () => {
    const tenant = await this.tenant(OrganisationKind.PROVIDER);
    const options = { caller: member(tenant.organisationId, false), ...PATIENT };
    const client = this.client('gateway', 'registry', ProviderServiceService);
    const request = {
      requestId: this.requestId(),
      displayName: 'hostile provider',
      kind: ProviderKind.INDIVIDUAL,
      rewardAddress: '',
    };
    const { provider } = await client.createProvider(request, options);
    return { ...tenant, providerId: provider?.providerId ?? '' };
  });

  async as<D extends ServiceDefinition, T>(
    who: 'operator' | 'customer' | 'provider',
    service: string,
    definition: D,
    call: (client: GrpcClient<D>, options: { readonly caller: Member; readonly deadlineMs: number }) => Promise<T>,
  ): Promise<T> {
    const caller = await this.member(who);
    if (caller === undefined) throw new Error(`${who} is no member`);
    return call(this.client('gateway', service, definition), { caller, ...PATIENT });
  }

  /** A client that calls `service` as `from`; kept until the world is closed. */
  client<D extends ServiceDefinition>(from: string, service: string, definition: D): GrpcClient<D> {
    const name = `client ${from} ${Object.values(definition)[0]?.path ?? ''}`;
    const known = this.clients.get(name);
    if (known !== undefined) return known as GrpcClient<D>;
    const options = {
      url: addressOf(this.platform, service),
      audience: service,
      identity: this.identities.of(from),
      tls: { ca: this.identities.ca },
    };
    const client = createClient(definition, options);
    this.clients.set(name, client);
    return client;
  }

  close(): void {
    for (const client of this.clients.values()) client.onModuleDestroy();
    this.identities.close();
  }

  /** What is known of why something does not happen. */
  protected trouble(): string {
    return '';
  }

  protected once<T>(name: string, make: () => Promise<T>): () => Promise<T> {
    return () => {
      const known = this.made.get(name) as Promise<T> | undefined;
      if (known !== undefined) return known;
      const made = make();
      this.made.set(name, made);
      return made;
    };
  }

  protected async eventually<T>(what: string, read: () => Promise<T | undefined | false>): Promise<T> {
    const check = async (): Promise<T> => {
      const found = await read();
      if (found === undefined || found === false) throw new Error(`${what}: not yet${this.trouble()}`);
      return found;
    };
    return eventually(check, { timeoutMs: PATIENCE_MS });
  }

  private async tenant(kind: OrganisationKind): Promise<Tenant> {
    const request = {
      requestId: this.requestId(),
      displayName: 'hostile e2e',
      kind,
      ownerEmail: `${randomUUID()}@example.org`,
    };
    const created = await this.as('operator', 'registry', OrganisationServiceService, (client, options) =>
      client.createOrganisation(request, options),
    );
    const { organisation, defaultProject, ownerKeySecret } = created;
    if (organisation === undefined || defaultProject === undefined)
      throw new Error('an organisation without a project');
    return {
      organisationId: organisation.organisationId,
      projectId: defaultProject.projectId,
      keySecret: ownerKeySecret,
    };
  }
}

const member = (organisationId: string, operator: boolean): Member => ({
  kind: 'member',
  organisationId,
  role: 'owner',
  scopes: SCOPES,
  keyId: randomUUID(),
  operator,
});
