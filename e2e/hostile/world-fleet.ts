import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { createClient } from '@daya/nest/client';
import { EnrolmentServiceService } from '@daya/proto/dispatch';
import { Connectivity, OfferServiceService, ProviderServiceService, type Inventory } from '@daya/proto/registry';
import { certificateRequest } from './certificate-request';
import type { NodeKeys } from './identities';
import { addressOf, type Platform } from './platform';
import { PuppetAgent, type PuppetNode } from './puppet-agent';
import { PATIENT, Tenants } from './world-tenants';

/** Its own, so that no other test's nodes take the puppet's jobs. */
export const REGION = 'hostile-zone';
export const MODEL = 'rtx-4090';
const GPUS = 4;
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

export interface Enrolled {
  readonly nodeId: string;
  readonly key: KeyObject;
  readonly keys: NodeKeys;
}

/** The provider's nodes: one that a puppet plays, others that nobody runs. */
export class Fleet extends Tenants {
  private readonly spare = [...SPARE_MODELS];
  protected puppetAgent: PuppetAgent | undefined;

  constructor(
    platform: Platform,
    protected readonly region = REGION,
  ) {
    super(platform);
  }

  /** A fresh token that enrols one emulated node. */
  async enrolmentToken(): Promise<string> {
    const { providerId } = await this.provider();
    const request = {
      requestId: this.requestId(),
      providerId,
      displayName: 'puppet',
      region: this.region,
      emulated: true,
    };
    return this.as(
      'provider',
      'registry',
      ProviderServiceService,
      async (client, options) => (await client.createEnrolmentToken(request, options)).token,
    );
  }

  /** An enrolled node that nobody runs. */
  async newNode(): Promise<Enrolled> {
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
    this.puppetAgent = await this.play(node);
    const terms = { gpuModelId: MODEL, priceMicrosPerGpuHour: 400_000n, minRentalSeconds: 0, maxRentalSeconds: 86_400 };
    const offer = await this.as('provider', 'registry', OfferServiceService, (client, options) =>
      client.createOffer({ requestId: this.requestId(), nodeId: node.nodeId, ...terms }, options),
    );
    return { ...node, offerId: offer.offer?.offerId ?? '' };
  });

  /** Connects a node; returns when it is admitted. */
  protected async play(node: Enrolled): Promise<PuppetAgent> {
    const address = addressOf(this.platform, 'dispatch', 'AGENT_PORT');
    const agent = this.puppet({ ...node, address, tls: { ca: this.identities.ca, ...node.keys } });
    await agent.start();
    await this.eventually('the node is admitted', async () => {
      const client = this.client('scheduler', 'registry', ProviderServiceService);
      return (await client.getNode({ nodeId: node.nodeId }, PATIENT)).node?.schedulable === true;
    });
    return agent;
  }

  protected puppet(node: PuppetNode): PuppetAgent {
    return new PuppetAgent(node, inventoryOf(node.nodeId));
  }

  /** Connects the market's node again, after another stream of its took its place or it was silenced. */
  async reconnect(): Promise<void> {
    await this.puppetAgent?.start();
    await this.untilNodeIs(Connectivity.ONLINE);
  }

  /** Takes the node off the network until everybody knows: late heartbeats of a busy machine move nothing any more. */
  async silenceNode(): Promise<void> {
    await this.node();
    this.puppetAgent?.hangUp();
    await this.untilNodeIs(Connectivity.LOST);
  }

  private async untilNodeIs(connectivity: Connectivity): Promise<void> {
    const { nodeId } = await this.node();
    const client = this.client('scheduler', 'registry', ProviderServiceService);
    await this.eventually(`the node is ${connectivity}`, async () => {
      return (await client.getNode({ nodeId }, PATIENT)).node?.connectivity === connectivity;
    });
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

  override close(): void {
    this.puppetAgent?.stop();
    super.close();
  }

  protected override trouble(): string {
    const failure = this.puppetAgent?.failure;
    return failure === undefined ? '' : `; the puppet: ${String(failure)}`;
  }
}

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
