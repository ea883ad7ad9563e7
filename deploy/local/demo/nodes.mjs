// The demo's supply: four owners, five machines. Their GPUs are declared, not real, and are called EMULATED everywhere.

const gpus = (gpuModelId, count, vramMib, name) =>
  Array.from({ length: count }, (_, index) => ({
    index,
    gpuModelId,
    vramMib,
    uuid: `GPU-EMULATED-${name}-${index}`,
    serial: gpuModelId.startsWith('rtx') ? '' : `EMULATED-${name}-${index}`,
  }));

const machine = (name, gpuModelId, count, vramMib, more) => ({
  name,
  region: more.region,
  pricesMicros: { [gpuModelId]: more.priceMicros },
  inventory: {
    gpus: gpus(gpuModelId, count, vramMib, name),
    cpuMilli: more.cpuMilli,
    memoryMib: more.memoryMib,
    scratchMib: 20_480,
    networkMbps: more.networkMbps,
    networkAllowed: false,
  },
});

export const OWNERS = [
  {
    organisation: 'Ayu (gaming PC)',
    kind: 'PROVIDER_KIND_INDIVIDUAL',
    nodes: [
      machine('ayu-3090', 'rtx-3090', 1, 24_576, {
        region: 'ap-southeast',
        priceMicros: 220_000,
        cpuMilli: 8_000,
        memoryMib: 4_096,
        networkMbps: 300,
      }),
    ],
  },
  {
    organisation: 'Bram (gaming PC)',
    kind: 'PROVIDER_KIND_INDIVIDUAL',
    nodes: [
      machine('bram-4090', 'rtx-4090', 1, 24_576, {
        region: 'eu-west',
        priceMicros: 390_000,
        cpuMilli: 8_000,
        memoryMib: 4_096,
        networkMbps: 500,
      }),
    ],
  },
  {
    organisation: 'Citra (two cards)',
    kind: 'PROVIDER_KIND_INDIVIDUAL',
    nodes: [
      machine('citra-4090', 'rtx-4090', 2, 24_576, {
        region: 'ap-southeast',
        priceMicros: 370_000,
        cpuMilli: 16_000,
        memoryMib: 8_192,
        networkMbps: 500,
      }),
    ],
  },
  {
    organisation: 'Nusantara data hall',
    kind: 'PROVIDER_KIND_INSTITUTION',
    nodes: [
      machine('hall-a100', 'a100-80-sxm', 4, 81_920, {
        region: 'ap-southeast',
        priceMicros: 1_290_000,
        cpuMilli: 64_000,
        memoryMib: 16_384,
        networkMbps: 10_000,
      }),
      machine('hall-h100', 'h100-80-sxm', 4, 81_920, {
        region: 'eu-central',
        priceMicros: 2_490_000,
        cpuMilli: 96_000,
        memoryMib: 16_384,
        networkMbps: 10_000,
      }),
    ],
  },
];

export const CUSTOMER = 'Studio Lontar';
export const DEPOSIT_MICROS = '50000000';
