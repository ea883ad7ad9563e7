import { createHash, generateKeyPairSync, randomUUID, type KeyObject } from 'node:crypto';
import { createClient, type GrpcClient } from '@daya/nest/client';
import type { ServiceDefinition } from '@daya/nest';
import { BillingServiceService } from '@daya/proto/billing';
import { DispatchServiceService, EnrolmentServiceService } from '@daya/proto/dispatch';
import {
  OfferServiceService,
  OrganisationServiceService,
  ProviderServiceService,
  OrganisationKind,
  ProviderKind,
  type Inventory,
} from '@daya/proto/registry';
import { RewardsServiceService } from '@daya/proto/rewards';
import { SchedulerServiceService, JobSpec, JobState } from '@daya/proto/scheduler';
import { eventually } from '@daya/testing';
import { certificateRequest } from './certificate-request';
import type { Who } from './control';
import { Identities, type Member, type NodeKeys } from './identities';
import { addressOf, type Platform } from './platform';
import { PuppetAgent, SILENT } from './puppet-agent';

const PLATFORM_ORGANISATION = '00000000-0000-7000-8000-000000000001';
const SCOPES = [
  'billing:read',
  'jobs:read',
  'jobs:write',
  'keys:read',
  'keys:write',
  'nodes:write',
  'organisation:write',
];
export const REGION = 'eu-central';
export const MODEL = 'rtx-4090';
const GPUS = 4;
/** The machine may be busy with other tests. */
export const PATIENT = { deadlineMs: 20_000 } as const;
const PATIENCE_MS = 60_000;
const SPARE_MODELS = [
  'rtx-3090',
  'rtx-5090',
  'a100-40-pcie',
  'a100-40-sxm',
  'a100-80-pcie',
  'a100-80-sxm',
  'h100-80-pcie',
  'h100-80-sxm',
  'l4',
  'l40s',
];
/** An image manifest that nobody runs; its content is all that blobs and permits look at. */
export const MANIFEST = Buffer.from(
  JSON.stringify({ schemaVersion: 2, mediaType: 'application/vnd.oci.image.manifest.v1+json', layers: [] }),
);
export const MANIFEST_SHA256 = createHash('sha256').update(MANIFEST).digest('hex');

export interface Tenant {
  readonly organisationId: string;
  readonly projectId: string;
  readonly keySecret: string;
}

interface Reward {
  readonly number: bigint;
  readonly asset: string;
  readonly account: string;
}

/** A market in a small: a customer with money, a provider with one node, jobs. Each part is made when first asked for. */
export class World {
  readonly identities: Identities;
  private readonly made = new Map<string, Promise<unknown>>();
  private readonly spare = [...SPARE_MODELS];
  private puppetAgent: PuppetAgent | undefined;

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

  /** A fresh token that enrols one emulated node. */
  async enrolmentToken(): Promise<string> {
    const { providerId } = await this.provider();
    const request = { requestId: this.requestId(), providerId, displayName: 'puppet', region: REGION, emulated: true };
    return this.as(
      'provider',
      'registry',
      ProviderServiceService,
      async (client, options) => (await client.createEnrolmentToken(request, options)).token,
    );
  }

  /** An enrolled node that nobody runs. */
  async newNode(): Promise<{ readonly nodeId: string; readonly key: KeyObject; readonly keys: NodeKeys }> {
    const { privateKey } = generateKeyPairSync('ed25519');
    const enrolment = createClient(EnrolmentServiceService, {
      url: addressOf(this.platform, 'dispatch', 'ENROLMENT_PORT'),
      audience: 'dispatch',
      tls: { ca: this.identities.ca },
    });
    try {
      const enrolled = await enrolment.enrol(
        {
          token: await this.enrolmentToken(),
          certificateRequest: certificateRequest(privateKey),
        },
        PATIENT,
      );
      const pem = privateKey.export({ type: 'pkcs8', format: 'pem' });
      return {
        nodeId: enrolled.nodeId,
        key: privateKey,
        keys: { cert: Buffer.from(enrolled.certificateChain), key: Buffer.from(pem) },
      };
    } finally {
      enrolment.onModuleDestroy();
    }
  }

  idleNode = this.once('idle node', () => this.newNode());

  /** The node that takes jobs: connected, admitted, its GPUs offered. */
  node = this.once('node', async () => {
    const node = await this.newNode();
    const address = addressOf(this.platform, 'dispatch', 'AGENT_PORT');
    this.puppetAgent = new PuppetAgent(
      { ...node, address, tls: { ca: this.identities.ca, ...node.keys } },
      inventoryOf(node.nodeId),
    );
    this.puppetAgent.start();
    await this.eventually('the node is admitted', async () => {
      const client = this.client('scheduler', 'registry', ProviderServiceService);
      return (await client.getNode({ nodeId: node.nodeId }, PATIENT)).node?.schedulable === true;
    });
    const terms = { gpuModelId: MODEL, priceMicrosPerGpuHour: 400_000n, minRentalSeconds: 0, maxRentalSeconds: 86_400 };
    const offer = await this.as('provider', 'registry', OfferServiceService, (client, options) =>
      client.createOffer({ requestId: this.requestId(), nodeId: node.nodeId, ...terms }, options),
    );
    return { ...node, offerId: offer.offer?.offerId ?? '' };
  });

  /** The image's manifest, uploaded by the customer. */
  manifest = this.once('manifest', async () => {
    const messages = [{ sha256: MANIFEST_SHA256, chunk: MANIFEST }];
    const stream = (async function* () {
      yield* messages;
    })();
    await this.as('customer', 'dispatch', DispatchServiceService, (client, options) =>
      client.uploadBlob(stream, options),
    );
  });

  /** A request for a job that the puppet runs at once. */
  async spec(labels: Readonly<Record<string, string>> = {}): Promise<JobSpec> {
    await this.node();
    await this.manifest();
    return JobSpec.fromPartial({
      image: { digest: `sha256:${MANIFEST_SHA256}` },
      command: ['true'],
      maxRunSeconds: 60,
      labels: { ...labels },
      requirements: { gpuCount: 1, cpuMilli: 500, memoryMib: 64, scratchMib: 16 },
    });
  }

  /** A job that has run, is charged and has its invoice. */
  settledJob = this.once('settled job', async () => {
    const jobId = await this.submit(await this.spec());
    const invoiceId = await this.eventually('the job is invoiced', () =>
      this.as('customer', 'billing', BillingServiceService, async (client, options) => {
        const { invoices } = await client.listInvoices({ pageSize: 1, pageToken: '', jobId }, options);
        return invoices[0]?.invoiceId;
      }),
    );
    return { jobId, invoiceId };
  });

  /** A reward of any job, the settled one if there was none before, and its epoch. */
  reward = this.once('reward', async () => {
    const earlier = await this.anyReward();
    if (earlier !== undefined) return earlier;
    await this.settledJob();
    return this.eventually('an epoch rewards the job', () => this.anyReward());
  });

  private anyReward(): Promise<Reward | undefined> {
    const asset = 'DAYA_TEST';
    return this.as('customer', 'rewards', RewardsServiceService, async (client, options) => {
      const { epochs } = await client.listEpochs({ pageSize: 20, pageToken: '', asset }, options);
      for (const { number } of epochs) {
        const { rewards } = await client.listRewards({ number, asset, pageSize: 200, pageToken: '' }, options);
        const paid = rewards.find(({ amount }) => amount > 0n);
        if (paid !== undefined) return { number, asset, account: paid.account };
      }
      return undefined;
    });
  }

  async epoch(): Promise<{ readonly number: bigint; readonly asset: string }> {
    const { number, asset } = await this.reward();
    return { number, asset };
  }

  /** A lease that the puppet was offered and never answered; its job is cancelled. The node keeps its permit. */
  offeredLease = this.once('offered lease', async () => {
    const jobId = await this.submit(await this.spec(SILENT));
    const offer = await this.eventually('the lease is offered', () =>
      Promise.resolve(this.puppetAgent?.offers.get(jobId)),
    );
    await this.cancel(jobId);
    return { jobId, leaseId: offer.leaseId, leaseToken: offer.leaseToken };
  });

  /** Connects the market's node again, after another stream of its took its place. */
  reconnect(): Promise<void> {
    this.puppetAgent?.start();
    return Promise.resolve();
  }

  /** A model of the market's node that nothing is offered of yet. */
  spareModel(): string {
    const model = this.spare.pop();
    if (model === undefined) throw new Error('the puppet has no further GPU model');
    return model;
  }

  /** An open offer that no other control changes. */
  async freshOffer(): Promise<string> {
    const { nodeId } = await this.node();
    const terms = {
      gpuModelId: this.spareModel(),
      priceMicrosPerGpuHour: 700_000n,
      minRentalSeconds: 60,
      maxRentalSeconds: 3_600,
    };
    return this.as('provider', 'registry', OfferServiceService, async (client, options) => {
      const { offer } = await client.createOffer({ requestId: this.requestId(), nodeId, ...terms }, options);
      return offer?.offerId ?? '';
    });
  }

  async submit(spec: JobSpec): Promise<string> {
    const { projectId } = await this.customer();
    // The scheduler may hear of the offer a moment after registry has stored it.
    return this.eventually('the job is submitted', () =>
      this.as('customer', 'scheduler', SchedulerServiceService, async (client, options) => {
        const { job } = await client.submitJob({ requestId: this.requestId(), projectId, quoteId: '', spec }, options);
        return job?.jobId;
      }),
    );
  }

  async cancel(jobId: string): Promise<void> {
    await this.as('customer', 'scheduler', SchedulerServiceService, (client, options) =>
      client.cancelJob({ requestId: this.requestId(), jobId }, options),
    );
  }

  /** Cancels whatever a control has left running. */
  async cancelOpenJobs(): Promise<void> {
    const open = await this.as('customer', 'scheduler', SchedulerServiceService, async (client, options) => {
      const { jobs } = await client.listJobs(
        { pageSize: 200, pageToken: '', projectId: '', state: JobState.UNSPECIFIED },
        options,
      );
      return jobs.filter(({ state }) => [JobState.FUNDING, JobState.QUEUED, JobState.RUNNING].includes(state));
    });
    for (const { jobId } of open) await this.cancel(jobId);
  }

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
    this.puppetAgent?.stop();
    for (const client of this.clients.values()) client.onModuleDestroy();
    this.identities.close();
  }

  private readonly clients = new Map<string, { onModuleDestroy(): void }>();

  private once<T>(name: string, make: () => Promise<T>): () => Promise<T> {
    return () => {
      const known = this.made.get(name) as Promise<T> | undefined;
      if (known !== undefined) return known;
      const made = make();
      this.made.set(name, made);
      return made;
    };
  }

  private async eventually<T>(what: string, read: () => Promise<T | undefined | false>): Promise<T> {
    const puppet = (): unknown => this.puppetAgent?.failure;
    const check = async (): Promise<T> => {
      const found = await read();
      if (found === undefined || found === false)
        throw new Error(`${what}: not yet${puppet() === undefined ? '' : `; the puppet: ${String(puppet())}`}`);
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

/** What the puppet's machine has; its GPUs are its own. */
export function inventoryOf(nodeId: string): Inventory {
  const models = [...Array.from({ length: GPUS }, () => MODEL), ...SPARE_MODELS];
  return {
    gpus: models.map((gpuModelId, index) => ({
      index,
      uuid: `GPU-${nodeId}-${index}`,
      serial: '',
      gpuModelId,
      vramMib: 81_920,
    })),
    cpuMilli: 16_000,
    memoryMib: 65_536,
    scratchMib: 65_536,
    networkMbps: 1_000,
    driverVersion: 'emulated',
    agentVersion: 'puppet',
    containerDriver: 'runc',
    networkAllowed: false,
  };
}
