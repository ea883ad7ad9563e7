import { type JobSpec, NetworkPolicy } from '@daya/proto/scheduler';
import { BAD_PATHS, SHA256_LIKE } from '../bad-values';
import type { Rules } from '../mutations';
import { both, enumeration, inner, list, map, NUL_ONLY, range, required, shaped, text, type Rule } from '../rules';
import { MANIFEST_SHA256, MODEL, REGION } from '../world';

const BAD_NAMES = ['1A', 'A-B', 'A B', 'A=B', 'A\0', '\0', ' A', 'ÄÖ', 'A'.repeat(129), 'A.B', '$A', 'A\n'];
const BAD_WORDS = ['RTX', 'a b', 'a_b', '-a', 'a-', 'a/b', 'ä', '\0', ' ', 'a'.repeat(65), 'a\n', '*'];
const BAD_DIGESTS = [
  ...SHA256_LIKE.filter((text) => !text.startsWith('sha256:')).map((text) => `sha256:${text}`),
  'sha512:' + 'a'.repeat(64),
  'a'.repeat(64),
  'sha256:',
  'sha256',
  'latest',
];
const BAD_REFERENCES = [
  'docker.io',
  'https://a.example/b',
  'a.example/b:latest',
  'a.example/',
  '/b',
  'a.example/B',
  'a b/c',
  '../x',
  'a.example//b',
  'a.example/b\0',
  'x'.repeat(513),
];
const path = (isRequired: boolean): Rule =>
  both(shaped(BAD_PATHS, { required: isRequired }), shaped(['p'.repeat(513), 'p'.repeat(20_000)], { required: false }));
/** At most `max` characters, any but U+0000; may be empty. */
const word = (max: number): Rule => text(max, { required: false, refused: NUL_ONLY });
const count = (max: number | bigint, min: number | bigint = 0, money = false): Rule => range(min, max, money);

/** A valid spec that uses every field. `quick` is what the puppet node can run. */
export const fullSpec = (quick: JobSpec): JobSpec => ({
  ...quick,
  command: ['render', '--frame', '{task.index}'],
  env: { MODE: 'fast', THREADS: '2' },
  secrets: [
    { name: 'TOKEN', value: 'not so secret' },
    { name: 'PASSWORD', value: 'neither' },
  ],
  taskCount: 2,
  finalTask: { command: ['join', 'all'], env: { JOIN: 'yes' }, outputPath: 'out' },
  requirements: {
    gpuModelIds: [MODEL, 'rtx-3090'],
    gpuCount: 1,
    minVramMib: 1_000,
    cpuMilli: 500,
    memoryMib: 64,
    scratchMib: 16,
    regions: [REGION, 'us-west'],
    maxPriceMicrosPerGpuHour: 900_000n,
    minReliabilityBps: 1,
    realGpusOnly: false,
  },
  maxRunSeconds: 60,
  inputs: [
    { sha256: MANIFEST_SHA256, path: 'data/one.json' },
    { sha256: MANIFEST_SHA256, path: 'data/two.json' },
  ],
  outputPath: 'out/frames',
  network: NetworkPolicy.NONE,
  labels: { ...quick.labels, team: 'blue' },
  retry: { maxRetries: 2 },
});

const RULES: Rules = {
  image: required(),
  'image.digest': shaped(BAD_DIGESTS),
  'image.reference': shaped(BAD_REFERENCES, { required: false }),
  command: list(word(4_096), { min: 1, max: 64, hugest: 3_000 }),
  env: map(BAD_NAMES, 64),
  'env.value': word(4_096),
  secrets: list(inner(), { max: 16, hugest: 1_000 }),
  'secrets.name': shaped(BAD_NAMES),
  'secrets.value': word(8_192),
  task_count: count(1_000),
  'final_task.command': list(word(4_096), { min: 1, max: 64, hugest: 3_000 }),
  'final_task.env': map(BAD_NAMES, 64),
  'final_task.env.value': word(4_096),
  'final_task.output_path': path(false),
  'requirements.gpu_model_ids': list(shaped(BAD_WORDS), { max: 32 }),
  'requirements.gpu_count': count(8),
  'requirements.min_vram_mib': count(1_048_576),
  'requirements.cpu_milli': count(512_000),
  'requirements.memory_mib': count(4_194_304),
  'requirements.scratch_mib': count(16_777_216),
  'requirements.regions': list(shaped(BAD_WORDS), { max: 32 }),
  'requirements.max_price_micros_per_gpu_hour': count(1_000_000_000n, 0, true),
  'requirements.min_reliability_bps': count(10_000),
  max_run_seconds: count(604_800, 1),
  inputs: list(inner(), { max: 64, hugest: 1_000 }),
  'inputs.sha256': shaped(SHA256_LIKE),
  'inputs.path': both(path(true), shaped(['tasks', 'tasks/0/x', 'tasks/'], { required: false })),
  output_path: path(false),
  network: enumeration({ required: false }),
  labels: map(['A', '-a', 'a b', '', 'ä', 'a'.repeat(64), 'a\0', '\n', 'a-'], 32),
  'labels.value': word(255),
  'retry.max_retries': count(10),
};

/** The rules of a JobSpec in the field `spec`. */
export const SPEC_RULES: Rules = {
  spec: required(),
  ...Object.fromEntries(Object.entries(RULES).map(([pattern, rule]) => [`spec.${pattern}`, rule])),
};
