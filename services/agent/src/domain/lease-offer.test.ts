import { refusalOf } from './lease-offer';
import type { LeaseOffer, NodeView } from './lease-offer';

const NOW = new Date('2030-01-01T00:00:00Z');

const anOffer = (changes: Partial<LeaseOffer> = {}): LeaseOffer => ({
  leaseId: 'lease',
  leaseToken: 5n,
  nodeId: 'node',
  jobId: 'job',
  taskIndex: 0,
  gpuUuids: ['gpu-a'],
  imageReference: '',
  imageDigest: 'sha256:x',
  command: [],
  env: {},
  inputs: [],
  outputPath: '',
  network: false,
  cpuMilli: 1_000,
  memoryMib: 512,
  scratchMib: 256,
  maxRunSeconds: 60,
  answerBy: new Date(NOW.getTime() + 5_000),
  ...changes,
});
const aNode = (changes: Partial<NodeView> = {}): NodeView => ({
  nodeId: 'node',
  floor: new Map([['gpu-b', 9n]]),
  gpuUuids: new Set(['gpu-a', 'gpu-b']),
  busyGpuUuids: new Set(),
  draining: false,
  networkAllowed: false,
  cpuMilli: 4_000,
  memoryMib: 8_192,
  scratchMib: 1_024,
  ...changes,
});

describe('a lease offer', () => {
  it('that fits is taken', () => expect(refusalOf(anOffer(), aNode(), NOW)).toBeNull());

  it.each<[string, Partial<LeaseOffer>, Partial<NodeView>, string]>([
    ['of another node', { nodeId: 'other' }, {}, 'WRONG_NODE'],
    ['for a GPU that is not here', { gpuUuids: ['gpu-a', 'gpu-z'] }, {}, 'GPU_UNKNOWN'],
    ['for no GPU', { gpuUuids: [] }, {}, 'GPU_UNKNOWN'],
    ['with the token that the GPU accepted last', { gpuUuids: ['gpu-b'], leaseToken: 9n }, {}, 'STALE_TOKEN'],
    ['with a token below one of its GPUs', { gpuUuids: ['gpu-a', 'gpu-b'] }, {}, 'STALE_TOKEN'],
    ['stale before busy', { gpuUuids: ['gpu-b'] }, { busyGpuUuids: new Set(['gpu-b']) }, 'STALE_TOKEN'],
    ['while draining', {}, { draining: true }, 'DRAINING'],
    ['long past its answer time', { answerBy: new Date(NOW.getTime() - 31_000) }, {}, 'OFFER_EXPIRED'],
    ['for a busy GPU', {}, { busyGpuUuids: new Set(['gpu-a']) }, 'GPU_BUSY'],
    ['with network where the owner gives none', { network: true }, {}, 'NETWORK_NOT_ALLOWED'],
    ['of a registry', { imageReference: 'registry.example/x' }, {}, 'REGISTRY_UNAVAILABLE'],
    ['with more memory than the node has', { memoryMib: 8_193 }, {}, 'RESOURCES_EXCEEDED'],
    ['without time', { maxRunSeconds: 0 }, {}, 'OFFER_INVALID'],
    ['with a name that is no variable', { env: { 'A=B': 'c' } }, {}, 'OFFER_INVALID'],
  ])('%s is refused', (_name, offer, node, reason) => expect(refusalOf(anOffer(offer), aNode(node), NOW)).toBe(reason));
});
