import { violationsOf } from '../../test/violations-of';
import { checkInventory, gpuCountOf, sameGpus, sameInventory, type Gpu, type Inventory } from './inventory';

const MODEL_VRAM_MIB = 10_000;

const aGpu = (index: number, overrides: Partial<Gpu> = {}): Gpu => ({
  index,
  uuid: `GPU-${index}`,
  serial: '',
  gpuModelId: 'rtx-4090',
  vramMib: MODEL_VRAM_MIB,
  ...overrides,
});

const anInventory = (overrides: Partial<Inventory> = {}): Inventory => ({
  gpus: [aGpu(0), aGpu(1)],
  cpuMilli: 1,
  memoryMib: 1,
  scratchMib: 1,
  networkMbps: 0,
  driverVersion: '',
  agentVersion: '',
  containerDriver: 'runc',
  networkAllowed: false,
  ...overrides,
});

const problemsOf = (overrides: Partial<Inventory>): string[] =>
  violationsOf((fields) =>
    checkInventory(fields, anInventory(overrides), (model) => (model === 'rtx-4090' ? MODEL_VRAM_MIB : undefined)),
  ).map((violation) => violation.replace('inventory.', ''));

const many = (count: number): readonly Gpu[] => Array.from({ length: count }, (_, index) => aGpu(index));

test.each<[string, Partial<Inventory>, string[]]>([
  ['the least that a node has', {}, []],
  ['no CPU', { cpuMilli: 0 }, ['cpu_milli OUT_OF_RANGE']],
  ['no memory', { memoryMib: 0 }, ['memory_mib OUT_OF_RANGE']],
  ['no scratch', { scratchMib: 0 }, ['scratch_mib OUT_OF_RANGE']],
  ['less than no network', { networkMbps: -1 }, ['network_mbps OUT_OF_RANGE']],
  ['an endless driver version', { driverVersion: 'x'.repeat(65) }, ['driver_version TOO_LONG']],
  ['an endless agent version', { agentVersion: 'x'.repeat(65) }, ['agent_version TOO_LONG']],
  ['docker', { containerDriver: 'docker' }, []],
  ['an unknown driver', { containerDriver: 'podman' }, ['container_driver UNKNOWN_VALUE']],
  ['no GPU', { gpus: [] }, ['gpus REQUIRED']],
  ['sixteen GPUs', { gpus: many(16) }, []],
  ['seventeen GPUs', { gpus: many(17) }, ['gpus TOO_MANY']],
  ['an index twice', { gpus: [aGpu(0), aGpu(0, { uuid: 'GPU-9' })] }, ['gpus[1].index DUPLICATE']],
  ['an index that no slot has', { gpus: [aGpu(16)] }, ['gpus[0].index OUT_OF_RANGE']],
  ['an identity twice', { gpus: [aGpu(0), aGpu(1, { uuid: 'GPU-0' })] }, ['gpus[1].uuid DUPLICATE']],
  ['no identity', { gpus: [aGpu(0, { uuid: '' })] }, ['gpus[0].uuid REQUIRED']],
  ['no serial twice', { gpus: [aGpu(0, { serial: '' }), aGpu(1, { serial: '' })] }, []],
  ['a serial twice', { gpus: [aGpu(0, { serial: 's' }), aGpu(1, { serial: 's' })] }, ['gpus[1].serial DUPLICATE']],
  ['an endless serial', { gpus: [aGpu(0, { serial: 's'.repeat(129) })] }, ['gpus[0].serial TOO_LONG']],
  ['an unknown model', { gpus: [aGpu(0, { gpuModelId: 'x' })] }, ['gpus[0].gpu_model_id UNKNOWN_VALUE']],
  ['nine tenths of the memory', { gpus: [aGpu(0, { vramMib: 9_000 })] }, []],
  ['less than nine tenths', { gpus: [aGpu(0, { vramMib: 8_999 })] }, ['gpus[0].vram_mib CONFLICT']],
  ['a megabyte', { gpus: [aGpu(0, { vramMib: 1 })] }, ['gpus[0].vram_mib CONFLICT']],
  ['no memory of its own', { gpus: [aGpu(0, { vramMib: 0 })] }, ['gpus[0].vram_mib OUT_OF_RANGE']],
])('%s', (_name, overrides, expected) => expect(problemsOf(overrides)).toEqual(expected));

test('the GPUs of a model are counted; a node without an inventory has none', () => {
  const inventory = anInventory({ gpus: [aGpu(0), aGpu(1, { gpuModelId: 'a100' }), aGpu(2)] });
  expect(gpuCountOf(inventory, 'rtx-4090')).toBe(2);
  expect(gpuCountOf(inventory, 'h100')).toBe(0);
  expect(gpuCountOf(undefined, 'rtx-4090')).toBe(0);
});

test('any change of any card is another set of GPUs, any change at all another inventory', () => {
  const before = anInventory();
  expect(sameGpus(before, anInventory({ cpuMilli: 2 }))).toBe(true);
  expect(sameGpus(undefined, before)).toBe(false);
  expect(sameInventory(undefined, before)).toBe(false);
  expect(sameInventory(before, anInventory())).toBe(true);
  const changes: Partial<Gpu>[] = [{ index: 5 }, { uuid: 'x' }, { serial: 's' }, { gpuModelId: 'x' }, { vramMib: 1 }];
  for (const change of changes) expect(sameGpus(before, anInventory({ gpus: [aGpu(0), aGpu(1, change)] }))).toBe(false);
  const others: Partial<Inventory>[] = [
    { gpus: [aGpu(0)] },
    { cpuMilli: 2 },
    { memoryMib: 2 },
    { scratchMib: 2 },
    { networkMbps: 2 },
    { driverVersion: 'x' },
    { agentVersion: 'x' },
    { containerDriver: 'docker' },
    { networkAllowed: true },
  ];
  for (const other of others) expect(sameInventory(before, anInventory(other))).toBe(false);
});
