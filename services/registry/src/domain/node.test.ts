import type { Inventory } from './inventory';
import {
  ADMISSION_MOVES,
  decideAdmission,
  hearOf,
  reportInventory,
  revoke,
  unschedulableReason,
  type Node,
} from './node';

const NOW = new Date('2026-01-01T00:00:00Z');
const RETRY_MS = 60_000;
const after = (ms: number): Date => new Date(NOW.getTime() + ms);

const anInventory = (overrides: Partial<Inventory> = {}): Inventory => ({
  gpus: [{ index: 0, uuid: 'GPU-1', serial: '', gpuModelId: 'rtx-4090', vramMib: 24_576 }],
  cpuMilli: 8_000,
  memoryMib: 4_096,
  scratchMib: 4_096,
  networkMbps: 100,
  driverVersion: '1',
  agentVersion: '1',
  containerDriver: 'runc',
  networkAllowed: false,
  ...overrides,
});

const aNode = (overrides: Partial<Node> = {}): Node => ({
  nodeId: 'n',
  providerId: 'p',
  organisationId: 'o',
  displayName: 'node',
  region: 'eu',
  emulated: false,
  inventory: anInventory(),
  inventoryGeneration: 1,
  connectivity: undefined,
  connectivityTime: undefined,
  ownerReason: 'none',
  gpuConflict: false,
  admissionState: 'pending',
  admissionReason: '',
  admissionTime: undefined,
  canaryJobId: 'job',
  canaryDueTime: NOW,
  canaryAttempts: 0,
  trustTier: 'unverified',
  certificateGeneration: 1,
  certificateExpireTime: after(1),
  revokeTime: undefined,
  revokeReason: '',
  createTime: NOW,
  version: 5n,
  ...overrides,
});

const otherGpu = anInventory({
  gpus: [{ index: 0, uuid: 'GPU-2', serial: '', gpuModelId: 'rtx-4090', vramMib: 24_576 }],
});

test('admission moves only as its table says', () => {
  for (const from of ['pending', 'admitted', 'refused'] as const) {
    const node = aNode({ admissionState: from });
    const admitted = decideAdmission(node, { admitted: true }, NOW);
    const refused = decideAdmission(node, { admitted: false, reason: 'EXITED' }, NOW);
    const reported = reportInventory(node, otherGpu, NOW, RETRY_MS);
    expect(admitted.admissionState === 'admitted' && admitted !== node).toBe(
      ADMISSION_MOVES[from].includes('admitted'),
    );
    expect(refused.admissionState === 'refused' && refused !== node).toBe(ADMISSION_MOVES[from].includes('refused'));
    expect(reported).toMatchObject({
      admissionState: 'pending',
      inventoryGeneration: 2,
      canaryDueTime: NOW,
      canaryJobId: undefined,
      version: 6n,
    });
  }
});

test('a node takes work only when nothing speaks against it, and the gravest reason is told', () => {
  const admitted = aNode({ admissionState: 'admitted' });
  expect(unschedulableReason(admitted)).toBeUndefined();
  expect(unschedulableReason({ ...admitted, ownerReason: 'draining' })).toBe('draining');
  expect(unschedulableReason({ ...admitted, ownerReason: 'maintenance', admissionState: 'refused' })).toBe(
    'not-admitted',
  );
  expect(unschedulableReason({ ...admitted, gpuConflict: true })).toBe('gpu-bound-elsewhere');
  expect(unschedulableReason({ ...admitted, gpuConflict: true, revokeTime: NOW })).toBe('revoked');
});

test('a new driver does not ask for a canary, the same report changes nothing', () => {
  const node = aNode({ admissionState: 'admitted' });
  expect(reportInventory(node, anInventory(), NOW, RETRY_MS)).toBe(node);
  expect(reportInventory(node, anInventory({ driverVersion: '2' }), NOW, RETRY_MS)).toMatchObject({
    admissionState: 'admitted',
    inventoryGeneration: 1,
    version: 6n,
  });
});

test('a refused node gets another canary only after a while', () => {
  const node = aNode({ admissionState: 'refused', admissionTime: NOW });
  expect(reportInventory(node, anInventory(), after(RETRY_MS - 1), RETRY_MS)).toBe(node);
  expect(reportInventory(node, anInventory(), after(RETRY_MS), RETRY_MS)).toMatchObject({
    admissionState: 'pending',
    inventoryGeneration: 2,
  });
});

test('a revoked node is neither admitted, nor heard of, nor revoked again', () => {
  const node = revoke(aNode(), 'stolen', NOW);
  expect(node).toMatchObject({ revokeReason: 'stolen', canaryDueTime: undefined, version: 6n });
  expect(decideAdmission(node, { admitted: true }, NOW)).toBe(node);
  expect(hearOf(node, 'online', NOW)).toBe(node);
  expect(revoke(node, 'again', NOW)).toBe(node);
});

test('connectivity follows the newest word', () => {
  const online = hearOf(aNode(), 'online', NOW);
  expect(online).toMatchObject({ connectivity: 'online', version: 6n });
  expect(hearOf(online, 'lost', after(-1))).toBe(online);
  expect(hearOf(online, 'online', after(5))).toBe(online);
  expect(hearOf(online, 'suspect', after(5))).toMatchObject({ connectivity: 'suspect', connectivityTime: after(5) });
});
