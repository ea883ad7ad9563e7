// Fills an empty platform: organisations with keys, providers, enrolled and admitted nodes, offers, a funded customer.
import { Client } from './client.mjs';
import { AgentProcess } from '../platform/agents.mjs';
import { CUSTOMER, DEPOSIT_MICROS, OWNERS } from './nodes.mjs';

const ADMISSION_MS = 90_000;

async function organisation(operator, platform, displayName, kind) {
  const made = await operator.post('/v1/organisations', { displayName, kind, ownerEmail: 'owner@example.org' });
  return {
    id: made.organisation.organisationId,
    name: displayName,
    projectId: made.defaultProject.projectId,
    client: new Client(platform.http, made.ownerKeySecret),
  };
}

/** Enrols one node: a one-time token for its agent, which makes its own key and proves itself from then on. */
async function startNode(platform, owner, providerId, node, options) {
  const { token } = await owner.client.post('/v1/enrolment-tokens', {
    providerId,
    displayName: node.name,
    region: node.region,
    emulated: true,
  });
  const agent = new AgentProcess({
    platform,
    name: node.name,
    token,
    inventory: node.inventory,
    ...options,
  });
  agent.start();
  return agent;
}

/** Waits until the owner's node called `name` is admitted; throws with the agent's log when it is refused or late. */
export async function untilAdmitted(owner, name, agent) {
  const deadline = Date.now() + ADMISSION_MS;
  for (;;) {
    const node = (await owner.client.list('/v1/nodes', 'nodes')).find((candidate) => candidate.displayName === name);
    if (node?.admissionState === 'ADMISSION_STATE_ADMITTED') return node;
    if (node?.admissionState === 'ADMISSION_STATE_REFUSED' || Date.now() > deadline) {
      throw new Error(`node ${name} was not admitted: ${JSON.stringify(node)}\n${agent.logTail()}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

async function openOffers(owner, node, pricesMicros) {
  for (const [gpuModelId, price] of Object.entries(pricesMicros)) {
    await owner.client.post('/v1/offers', {
      nodeId: node.nodeId,
      gpuModelId,
      priceMicrosPerGpuHour: String(price),
      minRentalSeconds: 1,
      maxRentalSeconds: 86_400,
    });
  }
}

/** One owner's whole supply, from organisation to open offers. */
export async function openSupply(platform, operator, { organisation: name, kind, nodes }, log, options = {}) {
  const owner = await organisation(operator, platform, name, 'ORGANISATION_KIND_PROVIDER');
  const { provider } = await owner.client.post('/v1/providers', { displayName: name, kind });
  const agents = await Promise.all(nodes.map((node) => startNode(platform, owner, provider.providerId, node, options)));
  const admitted = await Promise.all(
    nodes.map(async (spec, index) => {
      const node = await untilAdmitted(owner, spec.name, agents[index]);
      await openOffers(owner, node, spec.pricesMicros);
      log(`  ${spec.name}: canary passed, admitted (EMULATED)`);
      return { ...spec, nodeId: node.nodeId };
    }),
  );
  return { ...owner, providerId: provider.providerId, kind, agents, nodes: admitted };
}

export async function openDemand(platform, operator, name = CUSTOMER, depositMicros = DEPOSIT_MICROS) {
  const customer = await organisation(operator, platform, name, 'ORGANISATION_KIND_CUSTOMER');
  if (depositMicros !== '0') {
    await operator.post('/v1/deposits', {
      organisationId: customer.id,
      amount: { asset: 'USD', amount: depositMicros },
      bankReference: `bank-${customer.id}`,
    });
  }
  return customer;
}

export async function openMarket(platform, log) {
  const operator = new Client(platform.http, platform.operatorKey);
  const [customer, ...owners] = await Promise.all([
    openDemand(platform, operator),
    ...OWNERS.map((owner) => openSupply(platform, operator, owner, log)),
  ]);
  return { operator, customer, owners, nodes: owners.flatMap((owner) => owner.nodes) };
}
