import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { AdmissionState, ProviderKind, type Node } from '@daya/proto/registry';
import { type Fleet } from './fleet';
import { ownerOf, type PlatformClients, type PlatformPlace } from './platform-clients';

const GPU_MODEL_ID = 'rtx-4090';
const PRICE_MICROS_PER_GPU_HOUR = 360_000n;
const CALLS_AT_ONCE = 16;
const PAGE = 200;

export interface FleetSettings {
  readonly agents: number;
  readonly processes: number;
  readonly admissionMs: number;
}

/**
 * Fills the market: enrols the agents with one-time tokens, waits until each has passed its canary and opens its offer.
 * `organisationId` owns them all.
 */
export async function openFleet(
  fleet: Fleet,
  clients: PlatformClients,
  platform: PlatformPlace,
  organisationId: string,
  { agents, processes, admissionMs }: FleetSettings,
  log: (line: string) => void,
): Promise<void> {
  const caller = ownerOf(organisationId);
  const { provider } = await clients.providers.createProvider(
    { requestId: randomUUID(), displayName: 'Bench hall', kind: ProviderKind.INSTITUTION, rewardAddress: '' },
    { caller },
  );
  const providerId = provider?.providerId ?? '';
  const tokens = await inParallel(
    Array.from({ length: agents }, (_, index) => index),
    async (index) => {
      const request = { requestId: randomUUID(), providerId, displayName: `bench-${index}`, region: 'eu-central' };
      return (await clients.providers.createEnrolmentToken({ ...request, emulated: true }, { caller })).token;
    },
  );
  log(`  ${tokens.length} enrolment tokens`);
  const share = Math.ceil(agents / processes);
  for (let index = 0; index < processes; index += 1) {
    const order = {
      name: `fleet-${index}`,
      enrolmentUrl: `127.0.0.1:${platform.env['dispatch']?.['ENROLMENT_PORT']}`,
      caFile: join(platform.tlsFolder, 'ca.pem'),
      tokens: tokens.slice(index * share, (index + 1) * share),
    };
    fleet.start(order, join(platform.runDir, 'logs', `agents-${index}.log`));
  }
  await fleet.until('enrolment', () => fleet.enrolledCount >= agents, admissionMs);
  log(`  ${agents} agents are enrolled and connected`);
  let nodes: Node[] = [];
  const admitted = async (): Promise<boolean> => {
    nodes = (await listNodes(clients, organisationId)).filter(isAdmitted);
    return nodes.length >= agents;
  };
  await fleet.until(`admission of ${agents} nodes`, throttled(admitted), admissionMs);
  log(`  ${nodes.length} nodes have passed their canary`);
  await inParallel(nodes, ({ nodeId }) =>
    clients.offers.createOffer(
      {
        requestId: randomUUID(),
        nodeId,
        gpuModelId: GPU_MODEL_ID,
        priceMicrosPerGpuHour: PRICE_MICROS_PER_GPU_HOUR,
        minRentalSeconds: 1,
        maxRentalSeconds: 86_400,
      },
      { caller },
    ),
  );
}

const isAdmitted = ({ admissionState }: Node): boolean => {
  if (admissionState === AdmissionState.REFUSED) throw new Error('a node was refused');
  return admissionState === AdmissionState.ADMITTED;
};

async function listNodes({ providers }: PlatformClients, organisationId: string): Promise<Node[]> {
  const nodes: Node[] = [];
  let pageToken = '';
  do {
    const page = await providers.listNodes({ pageSize: PAGE, pageToken }, { caller: ownerOf(organisationId) });
    nodes.push(...page.nodes);
    pageToken = page.nextPageToken;
  } while (pageToken !== '');
  return nodes;
}

/** The same question at most every two seconds; false in between. */
function throttled(ask: () => Promise<boolean>): () => Promise<boolean> {
  let nextMs = 0;
  return async () => {
    if (performance.now() < nextMs) return false;
    const answer = await ask();
    nextMs = performance.now() + 2_000;
    return answer;
  };
}

async function inParallel<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  const queue = [...items.entries()];
  const worker = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) results[next[0]] = await work(next[1]);
  };
  await Promise.all(Array.from({ length: CALLS_AT_ONCE }, worker));
  return results;
}
