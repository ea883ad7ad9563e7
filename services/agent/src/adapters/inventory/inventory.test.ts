import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { declaredInventory } from './declared-inventory';
import { findInventory } from './find-inventory';
import { inventoryOf } from './nvidia-inventory';

const MACHINE = { cpuMilli: 8_000, memoryMib: 64_000, scratchMib: 100_000 };

describe('the inventory that nvidia-smi reports', () => {
  it('names catalogue models, and no serial where the card has none', () => {
    const output =
      '0, GPU-1a, [N/A], NVIDIA GeForce RTX 4090, 24564, 550.54.15\n1, GPU-2b, 1652922000001, NVIDIA A100-SXM4-80GB, 81920, 550.54.15\n';
    expect(inventoryOf(output, MACHINE)).toEqual({
      ...MACHINE,
      emulated: false,
      networkMbps: 0,
      driverVersion: '550.54.15',
      gpus: [
        { index: 0, uuid: 'GPU-1a', serial: '', modelId: 'rtx-4090', vramMib: 24_564 },
        { index: 1, uuid: 'GPU-2b', serial: '1652922000001', modelId: 'a100-80-sxm', vramMib: 81_920 },
      ],
    });
  });

  it.each([
    ['NVIDIA H100 80GB HBM3', 'h100-80-sxm'],
    ['NVIDIA H100 PCIe', 'h100-80-pcie'],
    ['NVIDIA H200', 'h200-141-sxm'],
    ['NVIDIA L40S', 'l40s'],
    ['NVIDIA L4', 'l4'],
    ['NVIDIA A100-PCIE-40GB', 'a100-40-pcie'],
    ['NVIDIA A100 80GB PCIe', 'a100-80-pcie'],
    ['NVIDIA GeForce RTX 3090', 'rtx-3090'],
    ['Tesla T4', 'tesla-t4'],
  ])('%s is %s', (name, modelId) => {
    expect(inventoryOf(`0, GPU-1, [N/A], ${name}, 1000, 1`, MACHINE).gpus[0]?.modelId).toBe(modelId);
  });

  it.each(['', 'No devices were found', '0, GPU-1, x', 'a, GPU-1, [N/A], X, 1000, 1'])(
    'does not guess at %j',
    (output) => {
      expect(() => inventoryOf(output, MACHINE)).toThrow();
    },
  );
});

describe('a declared inventory', () => {
  const folder = mkdtempSync(join(tmpdir(), 'inventory-'));
  const path = join(folder, 'inventory.json');
  const declare = (content: unknown): void =>
    writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  const GPU = { gpuModelId: 'rtx-3090', vramMib: 24_576, uuid: 'GPU-1', serial: 's' };
  const FILE = { gpus: [GPU], cpuMilli: 4_000, memoryMib: 8_000, scratchMib: 1_000 };
  afterAll(() => rmSync(folder, { recursive: true }));

  it('says that it is emulated', () => {
    declare(FILE);
    expect(declaredInventory(path)).toMatchObject({
      emulated: true,
      driverVersion: 'EMULATED',
      gpus: [{ index: 0, modelId: 'rtx-3090' }],
    });
  });

  it('is refused unless it is allowed, and needed where there is no GPU', async () => {
    declare(FILE);
    const choice = { declarationFile: path, allowEmulated: false, scratchFolder: folder };
    await expect(findInventory(choice)).rejects.toThrow('ALLOW_EMULATED_GPUS');
    await expect(findInventory({ ...choice, declarationFile: null })).rejects.toThrow('INVENTORY_FILE');
    await expect(findInventory({ ...choice, allowEmulated: true })).resolves.toMatchObject({ emulated: true });
  });

  it.each<[string, unknown, string]>([
    ['broken JSON', '{', 'cannot be read'],
    ['no GPU', { ...FILE, gpus: [] }, 'gpus'],
    [
      'several problems at once',
      { gpus: [{ ...GPU, gpuModelId: 'RTX 3090', vramMib: -1 }], cpuMilli: 0 },
      'gpus.0.gpuModelId',
    ],
    ['one uuid twice', { ...FILE, gpus: [GPU, GPU] }, 'twice'],
  ])('with %s is refused', (_name, content, message) => {
    declare(content);
    expect(() => declaredInventory(path)).toThrow(message);
  });
});
