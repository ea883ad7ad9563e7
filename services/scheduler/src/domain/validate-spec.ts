import { mapPath, refuseInvalid, type FoundViolation } from '@daya/kernel';
import type { FinalTask, InputArtifact, JobSpec, JobSpecInput, NetworkAccess, Requirements, Secret } from './job-spec';
import { Violations } from './violations';

export const SPEC_LIMITS = {
  commandWordsMax: 64,
  commandWordLengthMax: 4_096,
  envEntriesMax: 64,
  envValueLengthMax: 4_096,
  secretsMax: 16,
  secretValueLengthMax: 8_192,
  taskCountMax: 1_000,
  runSecondsMax: 7 * 86_400,
  inputsMax: 64,
  pathLengthMax: 512,
  labelsMax: 32,
  labelKeyLengthMax: 63,
  labelValueLengthMax: 255,
  retriesMax: 10,
  gpuModelsMax: 32,
  gpuCountMax: 8,
  vramMibMax: 1_048_576,
  cpuMilliMax: 512_000,
  memoryMibMax: 4_194_304,
  scratchMibMax: 16_777_216,
  regionsMax: 32,
  priceMicrosMax: 1_000_000_000n,
} as const;

const DEFAULTS = { taskCount: 1, gpuCount: 1, cpuMilli: 1_000, memoryMib: 512, scratchMib: 256 } as const;
const NO_REQUIREMENTS: Requirements = {
  gpuModelIds: [],
  gpuCount: 0,
  minVramMib: 0,
  cpuMilli: 0,
  memoryMib: 0,
  scratchMib: 0,
  regions: [],
  maxPriceMicrosPerGpuHour: 0n,
  minReliabilityBps: 0,
  realGpusOnly: false,
};

const DIGEST = /^sha256:[0-9a-f]{64}$/;
const SHA256 = /^[0-9a-f]{64}$/;
const VARIABLE_NAME = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/;
const LABEL_KEY = /^[a-z0-9]([a-z0-9._/-]{0,61}[a-z0-9])?$/;
const MODEL_ID = /^[a-z0-9]([a-z0-9.-]{0,62}[a-z0-9])?$/;
const REGION = /^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$/;
const NUL = '\0';

/**
 * Fills in the defaults. Throws `invalid` with every violation at once: `others`, those of the request around the
 * specification, and its own.
 */
export function validateSpec(
  input: JobSpecInput | undefined,
  others: readonly FoundViolation[] = [],
): { spec: JobSpec; secrets: readonly Secret[] } {
  if (input === undefined) throwMissing(others);
  const found = new Violations('spec');
  const requirements = input.requirements ?? NO_REQUIREMENTS;
  checkImage(found, input.image);
  checkCommand(found, 'command', input.command);
  checkEnv(found, 'env', input.env);
  checkSecrets(found, input);
  found.range('task_count', input.taskCount, 0, SPEC_LIMITS.taskCountMax);
  if (input.finalTask) checkFinalTask(found, input.finalTask);
  checkRequirements(found, requirements);
  found.range('max_run_seconds', input.maxRunSeconds, 1, SPEC_LIMITS.runSecondsMax);
  checkInputs(found, input.inputs);
  checkPath(found, 'output_path', input.outputPath, true);
  found.check(
    'network',
    ['NONE', 'INTERNET', 'UNSPECIFIED'].includes(input.network),
    'UNKNOWN_VALUE',
    'must be NONE or INTERNET',
  );
  checkLabels(found, input.labels);
  found.range('retry.max_retries', input.retry?.maxRetries ?? 0, 0, SPEC_LIMITS.retriesMax);
  refuseInvalid([...others, ...found.list]);
  return { spec: normalise(input, requirements), secrets: input.secrets };
}

function throwMissing(others: readonly FoundViolation[]): never {
  refuseInvalid([...others, { field: 'spec', reason: 'REQUIRED', description: 'must be set' }]);
  throw new Error('unreachable');
}

function normalise(input: JobSpecInput, requirements: Requirements): JobSpec {
  const network: NetworkAccess = input.network === 'INTERNET' ? 'INTERNET' : 'NONE';
  return {
    image: input.image ?? { reference: '', digest: '' },
    command: input.command,
    env: input.env,
    secretNames: input.secrets.map(({ name }) => name),
    taskCount: input.taskCount || DEFAULTS.taskCount,
    finalTask: input.finalTask && {
      command: input.finalTask.command,
      env: input.finalTask.env,
      outputPath: input.finalTask.outputPath,
    },
    requirements: {
      ...requirements,
      gpuCount: requirements.gpuCount || DEFAULTS.gpuCount,
      cpuMilli: requirements.cpuMilli || DEFAULTS.cpuMilli,
      memoryMib: requirements.memoryMib || DEFAULTS.memoryMib,
      scratchMib: requirements.scratchMib || DEFAULTS.scratchMib,
    },
    maxRunSeconds: input.maxRunSeconds,
    inputs: input.inputs.map(({ sha256, path }) => ({ sha256, path })),
    outputPath: input.outputPath,
    network,
    labels: input.labels,
    maxRetries: input.retry?.maxRetries ?? 0,
  };
}

function checkImage(found: Violations, image: JobSpecInput['image']): void {
  if (!image) return found.add('image', 'REQUIRED', 'must be set');
  found.check('image.digest', DIGEST.test(image.digest), 'MALFORMED', 'must be sha256: and 64 hexadecimal digits');
  // No agent pulls from a registry yet: said here, before anybody quotes, pays or is offered the job.
  found.check(
    'image.reference',
    image.reference === '',
    'NOT_SUPPORTED',
    'images come from the platform’s own store: upload the image and leave this empty',
  );
}

function checkCommand(found: Violations, field: string, command: readonly string[]): void {
  if (!found.count(field, command.length, 1, SPEC_LIMITS.commandWordsMax)) return;
  command.forEach((word, index) => checkText(found, `${field}[${index}]`, word, SPEC_LIMITS.commandWordLengthMax));
}

function checkEnv(found: Violations, field: string, env: Readonly<Record<string, string>>): void {
  const entries = Object.entries(env);
  if (!found.count(field, entries.length, 0, SPEC_LIMITS.envEntriesMax)) return;
  for (const [name, value] of entries) {
    found.check(field, VARIABLE_NAME.test(name), 'MALFORMED', 'names are letters, digits and underscores, at most 128');
    checkText(found, mapPath(field, name), value, SPEC_LIMITS.envValueLengthMax);
  }
}

function checkSecrets(found: Violations, { secrets, env }: JobSpecInput): void {
  if (!found.count('secrets', secrets.length, 0, SPEC_LIMITS.secretsMax)) return;
  const seen = new Set(Object.keys(env));
  secrets.forEach(({ name, value }, index) => {
    found.check(
      `secrets[${index}].name`,
      VARIABLE_NAME.test(name),
      'MALFORMED',
      'must be letters, digits and underscores, at most 128',
    );
    found.check(`secrets[${index}].name`, !seen.has(name), 'DUPLICATE', 'is used by another secret or variable');
    checkText(found, `secrets[${index}].value`, value, SPEC_LIMITS.secretValueLengthMax);
    seen.add(name);
  });
}

function checkFinalTask(found: Violations, task: FinalTask): void {
  checkCommand(found, 'final_task.command', task.command);
  checkEnv(found, 'final_task.env', task.env);
  checkPath(found, 'final_task.output_path', task.outputPath, true);
}

function checkRequirements(found: Violations, wanted: Requirements): void {
  const at = (name: string): string => `requirements.${name}`;
  const models = wanted.gpuModelIds;
  if (found.count(at('gpu_model_ids'), models.length, 0, SPEC_LIMITS.gpuModelsMax)) {
    models.forEach((id, index) =>
      found.check(at(`gpu_model_ids[${index}]`), MODEL_ID.test(id), 'MALFORMED', 'is not a gpu_model_id'),
    );
  }
  if (found.count(at('regions'), wanted.regions.length, 0, SPEC_LIMITS.regionsMax)) {
    wanted.regions.forEach((region, index) =>
      found.check(at(`regions[${index}]`), REGION.test(region), 'MALFORMED', 'is not a region'),
    );
  }
  found.range(at('gpu_count'), wanted.gpuCount, 0, SPEC_LIMITS.gpuCountMax);
  found.range(at('min_vram_mib'), wanted.minVramMib, 0, SPEC_LIMITS.vramMibMax);
  found.range(at('cpu_milli'), wanted.cpuMilli, 0, SPEC_LIMITS.cpuMilliMax);
  found.range(at('memory_mib'), wanted.memoryMib, 0, SPEC_LIMITS.memoryMibMax);
  found.range(at('scratch_mib'), wanted.scratchMib, 0, SPEC_LIMITS.scratchMibMax);
  found.range(at('max_price_micros_per_gpu_hour'), wanted.maxPriceMicrosPerGpuHour, 0n, SPEC_LIMITS.priceMicrosMax);
  found.range(at('min_reliability_bps'), wanted.minReliabilityBps, 0, 10_000);
}

function checkInputs(found: Violations, inputs: readonly InputArtifact[]): void {
  if (!found.count('inputs', inputs.length, 0, SPEC_LIMITS.inputsMax)) return;
  const seen = new Set<string>();
  inputs.forEach(({ sha256, path }, index) => {
    found.check(`inputs[${index}].sha256`, SHA256.test(sha256), 'MALFORMED', 'must be 64 hexadecimal digits');
    checkPath(found, `inputs[${index}].path`, path, false);
    // The artifacts of earlier tasks are mounted there.
    found.check(
      `inputs[${index}].path`,
      path !== 'tasks' && !path.startsWith('tasks/'),
      'RESERVED',
      'tasks/ is reserved',
    );
    found.check(`inputs[${index}].path`, !seen.has(path), 'DUPLICATE', 'is used by another input');
    seen.add(path);
  });
}

function checkLabels(found: Violations, labels: Readonly<Record<string, string>>): void {
  const entries = Object.entries(labels);
  if (!found.count('labels', entries.length, 0, SPEC_LIMITS.labelsMax)) return;
  for (const [key, value] of entries) {
    found.check('labels', LABEL_KEY.test(key), 'MALFORMED', 'keys are lower-case words of at most 63 characters');
    checkText(found, mapPath('labels', key), value, SPEC_LIMITS.labelValueLengthMax);
  }
}

function checkText(found: Violations, field: string, text: string, lengthMax: number): void {
  found.length(field, text, 0, lengthMax);
  found.check(field, !text.includes(NUL), 'MALFORMED', 'must not contain U+0000');
}

function checkPath(found: Violations, field: string, path: string, optional: boolean): void {
  if (path === '' && optional) return;
  found.length(field, path, 1, SPEC_LIMITS.pathLengthMax);
  found.check(field, isRelativePath(path), 'MALFORMED', 'must be a relative path without . or .. parts');
}

/** A path that stays where it is mounted. */
export const isRelativePath = (path: string): boolean =>
  !path.includes(NUL) &&
  !path.includes('\\') &&
  path.split('/').every((part) => part !== '' && part !== '.' && part !== '..');
