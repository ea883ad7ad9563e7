import { type DomainError } from '@daya/kernel';
import { aSpecInput } from '../../test/builders';
import type { JobSpecInput } from './job-spec';
import { SPEC_LIMITS, validateSpec } from './validate-spec';

function violated(more: Partial<JobSpecInput>): string[] {
  try {
    validateSpec(aSpecInput(more));
    return [];
  } catch (error) {
    return (error as DomainError).violations.map(({ field }) => field);
  }
}

const requirements = (more: object) => ({ requirements: { ...validateSpec(aSpecInput()).spec.requirements, ...more } });
const many = (count: number): string[] => Array.from({ length: count }, () => 'x');

test.each<[string, Partial<JobSpecInput>]>([
  ['spec.image', { image: undefined }],
  ['spec.image.digest', { image: { reference: '', digest: 'sha256:00' } }],
  ['spec.image.reference', { image: { reference: 'docker.io/library/x', digest: `sha256:${'0a'.repeat(32)}` } }],
  ['spec.command', { command: [] }],
  ['spec.command', { command: many(SPEC_LIMITS.commandWordsMax + 1) }],
  ['spec.command[0]', { command: ['x'.repeat(SPEC_LIMITS.commandWordLengthMax + 1)] }],
  ['spec.command[1]', { command: ['a', 'b\0'] }],
  ['spec.env', { env: { '1A': '' } }],
  ['spec.env["A"]', { env: { A: 'x'.repeat(SPEC_LIMITS.envValueLengthMax + 1) } }],
  ['spec.secrets[0].name', { env: { A: '' }, secrets: [{ name: 'A', value: '' }] }],
  ['spec.secrets[0].value', { secrets: [{ name: 'A', value: 'x'.repeat(SPEC_LIMITS.secretValueLengthMax + 1) }] }],
  ['spec.task_count', { taskCount: -1 }],
  ['spec.task_count', { taskCount: 1_001 }],
  ['spec.final_task.command', { finalTask: { command: [], env: {}, outputPath: '' } }],
  ['spec.final_task.output_path', { finalTask: { command: ['x'], env: {}, outputPath: '/abs' } }],
  ['spec.max_run_seconds', { maxRunSeconds: 0 }],
  ['spec.max_run_seconds', { maxRunSeconds: SPEC_LIMITS.runSecondsMax + 1 }],
  ['spec.inputs[0].sha256', { inputs: [{ sha256: 'AB', path: 'a' }] }],
  ['spec.inputs[0].path', { inputs: [{ sha256: 'ab'.repeat(32), path: '../a' }] }],
  ['spec.inputs[0].path', { inputs: [{ sha256: 'ab'.repeat(32), path: 'tasks/0/a' }] }],
  [
    'spec.inputs[1].path',
    {
      inputs: [
        { sha256: 'ab'.repeat(32), path: 'a' },
        { sha256: 'ab'.repeat(32), path: 'a' },
      ],
    },
  ],
  ['spec.output_path', { outputPath: 'a/../b' }],
  ['spec.network', { network: 'UNRECOGNIZED' }],
  ['spec.labels', { labels: { 'Not Good': '' } }],
  ['spec.labels["a"]', { labels: { a: 'x'.repeat(SPEC_LIMITS.labelValueLengthMax + 1) } }],
  ['spec.retry.max_retries', { retry: { maxRetries: 11 } }],
  ['spec.requirements.gpu_count', requirements({ gpuCount: 9 })],
  ['spec.requirements.min_vram_mib', requirements({ minVramMib: -1 })],
  ['spec.requirements.cpu_milli', requirements({ cpuMilli: -1 })],
  ['spec.requirements.memory_mib', requirements({ memoryMib: -1 })],
  ['spec.requirements.scratch_mib', requirements({ scratchMib: -1 })],
  ['spec.requirements.max_price_micros_per_gpu_hour', requirements({ maxPriceMicrosPerGpuHour: -1n })],
  ['spec.requirements.min_reliability_bps', requirements({ minReliabilityBps: 10_001 })],
  ['spec.requirements.gpu_model_ids[0]', requirements({ gpuModelIds: ['RTX 4090'] })],
  ['spec.requirements.regions[0]', requirements({ regions: ['EU!'] })],
])('%s is the only violated field', (field, more) => {
  expect(new Set(violated(more))).toEqual(new Set([field]));
});

test('all violations come at once, and defaults are filled in', () => {
  expect(violated({ command: [], maxRunSeconds: 0, taskCount: -1 })).toEqual([
    'spec.command',
    'spec.task_count',
    'spec.max_run_seconds',
  ]);
  const around = [{ field: 'request_id', reason: 'REQUIRED', description: '' } as const];
  for (const [input, field] of [
    [undefined, 'spec'],
    [aSpecInput({ command: [] }), 'spec.command'],
  ] as const) {
    expect(() => validateSpec(input, around)).toThrow(
      expect.objectContaining({ violations: [...around, expect.objectContaining({ field })] }) as Error,
    );
  }
  expect(() => validateSpec(aSpecInput(), around)).toThrow('request_id');
  const { spec } = validateSpec(aSpecInput({ taskCount: 0, network: 'UNSPECIFIED' }));
  expect(spec).toMatchObject({
    taskCount: 1,
    network: 'NONE',
    maxRetries: 0,
    requirements: { gpuCount: 1, cpuMilli: 1_000, memoryMib: 512, scratchMib: 256 },
  });
  expect(() => validateSpec(undefined)).toThrow(
    expect.objectContaining({ violations: [expect.objectContaining({ field: 'spec' })] }) as Error,
  );
});
