import type { WorkKind } from '../../../domain/gpu-model';

interface Price {
  readonly micros: bigint;
  readonly source: string;
}

export interface CatalogueEntry {
  readonly gpuModelId: string;
  readonly displayName: string;
  readonly vramMib: number;
  readonly segment: 'consumer' | 'datacentre';
  readonly purchase: Price;
  readonly cloud: Price;
  readonly ratings: readonly { readonly workKind: WorkKind; readonly mscu: number; readonly source: string }[];
}

interface Figures {
  readonly name: string;
  readonly vramMib: number;
  readonly segment: CatalogueEntry['segment'];
  readonly purchase: Price;
  readonly cloud: Price;
  /** TFLOPS of matrix work in FP16, and where the figure is from. */
  readonly fp16: readonly [tflops: number, source: string];
  /** GB/s of memory, of the vendor's data sheet. */
  readonly bandwidthGbs: number;
  /** Peak TFLOPS in FP32, of the vendor's data sheet. */
  readonly fp32Tflops: number;
}

const dollars = (amount: number): bigint => BigInt(Math.round(amount * 1_000_000));
const msrp = (usd: number, when: string): Price => ({
  micros: dollars(usd),
  source: `published list price: NVIDIA's launch price for the US, ${when}`,
});
/** Data-centre cards have no public list price. */
const estimate = (usd: number): Price => ({
  micros: dollars(usd),
  source:
    "estimate of the Daya project: the vendor publishes no list price; rounded from resellers' asking prices of 2023 to 2025",
});
const cloudList = (usd: number, what: string): Price => ({
  micros: dollars(usd),
  source: `published list price: ${what}, on demand, US, as known in 2025; divided by the instance's GPUs`,
});
/** No large cloud rents consumer cards. */
const cloudNearest = (usd: number, what: string): Price => ({
  micros: dollars(usd),
  source: `estimate of the Daya project: no large cloud rents this card; the list price of the nearest, ${what}, on demand, US, as known in 2025`,
});

const MEASURED = 'public table of FP16 matrix throughput (SN27 validator configuration)';
const DATA_SHEET = "the vendor's data sheet (dense FP16, FP32 accumulation)";
/** What an RTX 4090 reaches in each; a standard compute unit is one hour of it. */
const REFERENCE = { measured: 157, dataSheet: 165.2, bandwidthGbs: 1_008, fp32Tflops: 82.6 };

const FIGURES: Readonly<Record<string, Figures>> = {
  'rtx-3090': {
    name: 'NVIDIA GeForce RTX 3090',
    vramMib: 24_576,
    segment: 'consumer',
    purchase: msrp(1_499, 'September 2020'),
    cloud: cloudNearest(1.006, 'AWS g5.xlarge (A10G)'),
    fp16: [66.4, MEASURED],
    bandwidthGbs: 936,
    fp32Tflops: 35.6,
  },
  'rtx-4090': {
    name: 'NVIDIA GeForce RTX 4090',
    vramMib: 24_576,
    segment: 'consumer',
    purchase: msrp(1_599, 'October 2022'),
    cloud: cloudNearest(1.006, 'AWS g5.xlarge (A10G)'),
    fp16: [157, MEASURED],
    bandwidthGbs: 1_008,
    fp32Tflops: 82.6,
  },
  'rtx-5090': {
    name: 'NVIDIA GeForce RTX 5090',
    vramMib: 32_768,
    segment: 'consumer',
    purchase: msrp(1_999, 'January 2025'),
    cloud: cloudNearest(1.861, 'AWS g6e.xlarge (L40S)'),
    fp16: [209.5, DATA_SHEET],
    bandwidthGbs: 1_792,
    fp32Tflops: 104.8,
  },
  'a100-40-pcie': {
    name: 'NVIDIA A100 40 GB PCIe',
    vramMib: 40_960,
    segment: 'datacentre',
    purchase: estimate(9_000),
    cloud: cloudList(3.67, 'Google Cloud a2-highgpu-1g (A100 40 GB)'),
    fp16: [197, MEASURED],
    bandwidthGbs: 1_555,
    fp32Tflops: 19.5,
  },
  'a100-40-sxm': {
    name: 'NVIDIA A100 40 GB SXM',
    vramMib: 40_960,
    segment: 'datacentre',
    purchase: estimate(10_000),
    cloud: cloudList(4.1, 'AWS p4d.24xlarge'),
    fp16: [238.8, `${MEASURED}, figure of the 80 GB card, which has the same processor`],
    bandwidthGbs: 1_555,
    fp32Tflops: 19.5,
  },
  'a100-80-pcie': {
    name: 'NVIDIA A100 80 GB PCIe',
    vramMib: 81_920,
    segment: 'datacentre',
    purchase: estimate(14_000),
    cloud: cloudList(3.673, 'Azure NC24ads A100 v4'),
    fp16: [197, MEASURED],
    bandwidthGbs: 1_935,
    fp32Tflops: 19.5,
  },
  'a100-80-sxm': {
    name: 'NVIDIA A100 80 GB SXM',
    vramMib: 81_920,
    segment: 'datacentre',
    purchase: estimate(15_000),
    cloud: cloudList(5.12, 'AWS p4de.24xlarge'),
    fp16: [238.8, MEASURED],
    bandwidthGbs: 2_039,
    fp32Tflops: 19.5,
  },
  'h100-80-pcie': {
    name: 'NVIDIA H100 80 GB PCIe',
    vramMib: 81_920,
    segment: 'datacentre',
    purchase: estimate(27_000),
    cloud: cloudList(6.98, 'Azure NC40ads H100 v5 (H100 NVL)'),
    fp16: [330, MEASURED],
    bandwidthGbs: 2_000,
    fp32Tflops: 51.2,
  },
  'h100-80-sxm': {
    name: 'NVIDIA H100 80 GB SXM',
    vramMib: 81_920,
    segment: 'datacentre',
    purchase: estimate(30_000),
    cloud: cloudList(6.88, 'AWS p5.48xlarge, after the cut of June 2025'),
    fp16: [570, MEASURED],
    bandwidthGbs: 3_350,
    fp32Tflops: 66.9,
  },
  'h200-141-sxm': {
    name: 'NVIDIA H200 141 GB SXM',
    vramMib: 143_771,
    segment: 'datacentre',
    purchase: estimate(35_000),
    cloud: cloudList(7.91, 'AWS p5en.48xlarge, after the cut of June 2025'),
    fp16: [610, MEASURED],
    bandwidthGbs: 4_800,
    fp32Tflops: 66.9,
  },
  l4: {
    name: 'NVIDIA L4',
    vramMib: 24_576,
    segment: 'datacentre',
    purchase: estimate(2_600),
    cloud: cloudList(0.805, 'AWS g6.xlarge'),
    fp16: [51, MEASURED],
    bandwidthGbs: 300,
    fp32Tflops: 30.3,
  },
  l40s: {
    name: 'NVIDIA L40S',
    vramMib: 49_152,
    segment: 'datacentre',
    purchase: estimate(8_500),
    cloud: cloudList(1.861, 'AWS g6e.xlarge'),
    fp16: [171, MEASURED],
    bandwidthGbs: 864,
    fp32Tflops: 91.6,
  },
  mi300x: {
    name: 'AMD Instinct MI300X',
    vramMib: 196_608,
    segment: 'datacentre',
    purchase: estimate(15_000),
    cloud: cloudList(6, 'Azure ND96isr MI300X v5'),
    fp16: [570, 'estimate of the Daya project: taken for as fast as an H100 SXM, since its peak is seldom reached'],
    bandwidthGbs: 5_300,
    fp32Tflops: 163.4,
  },
};

/** The catalogue's first version. Prices are for comparison; ratings follow one rule per kind of work, none is measured by us. */
export const CATALOGUE: readonly CatalogueEntry[] = Object.entries(FIGURES).map(([gpuModelId, figures]) => ({
  gpuModelId,
  displayName: figures.name,
  vramMib: figures.vramMib,
  segment: figures.segment,
  purchase: figures.purchase,
  cloud: figures.cloud,
  ratings: ratingsOf(figures),
}));

function ratingsOf({ fp16: [tflops, source], bandwidthGbs, fp32Tflops }: Figures): CatalogueEntry['ratings'] {
  const of = (value: number, reference: number): number => Math.round((value * 1_000) / reference);
  const reference = source === DATA_SHEET ? REFERENCE.dataSheet : REFERENCE.measured;
  return [
    {
      workKind: 'training',
      mscu: of(tflops, reference),
      source: `${tflops} ÷ ${reference} TFLOPS (RTX 4090); ${source}`,
    },
    {
      workKind: 'inference',
      mscu: of(bandwidthGbs, REFERENCE.bandwidthGbs),
      source: `estimate of the Daya project: memory bandwidth ${bandwidthGbs} ÷ ${REFERENCE.bandwidthGbs} GB/s (RTX 4090), vendors' data sheets`,
    },
    {
      workKind: 'rendering',
      mscu: of(fp32Tflops, REFERENCE.fp32Tflops),
      source: `estimate of the Daya project: peak FP32 ${fp32Tflops} ÷ ${REFERENCE.fp32Tflops} TFLOPS (RTX 4090), vendors' data sheets; ray-tracing units are not counted`,
    },
  ];
}
