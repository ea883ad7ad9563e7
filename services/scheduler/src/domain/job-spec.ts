/** What a container may reach. */
export type NetworkAccess = 'NONE' | 'INTERNET';

export interface Requirements {
  /** Any of these; empty: any model. */
  readonly gpuModelIds: readonly string[];
  readonly gpuCount: number;
  readonly minVramMib: number;
  readonly cpuMilli: number;
  readonly memoryMib: number;
  readonly scratchMib: number;
  /** Any of these; empty: anywhere. */
  readonly regions: readonly string[];
  /** 0: no limit. */
  readonly maxPriceMicrosPerGpuHour: bigint;
  readonly minReliabilityBps: number;
  readonly realGpusOnly: boolean;
}

export interface FinalTask {
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly outputPath: string;
}

export interface InputArtifact {
  readonly sha256: string;
  readonly path: string;
}

/** A value that only the leased agent may see. */
export interface Secret {
  readonly name: string;
  readonly value: string;
}

/** What a customer wants to run: validated, defaults filled in, without secret values. */
export interface JobSpec {
  readonly image: { readonly reference: string; readonly digest: string };
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly secretNames: readonly string[];
  readonly taskCount: number;
  readonly finalTask: FinalTask | undefined;
  readonly requirements: Requirements;
  readonly maxRunSeconds: number;
  readonly inputs: readonly InputArtifact[];
  readonly outputPath: string;
  readonly network: NetworkAccess;
  readonly labels: Readonly<Record<string, string>>;
  readonly maxRetries: number;
}

/** A specification as a caller sends it: anything may be missing, zero means the default. */
export interface JobSpecInput {
  readonly image?: { readonly reference: string; readonly digest: string } | undefined;
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly secrets: readonly Secret[];
  readonly taskCount: number;
  readonly finalTask?: FinalTask | undefined;
  readonly requirements?: Requirements | undefined;
  readonly maxRunSeconds: number;
  readonly inputs: readonly InputArtifact[];
  readonly outputPath: string;
  /** NONE, INTERNET or UNSPECIFIED; anything else is refused. */
  readonly network: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly retry?: { readonly maxRetries: number } | undefined;
}

const TASK_INDEX_PLACEHOLDER = '{task.index}';

/** All tasks of a job, the final one included. */
export const totalTasks = (spec: JobSpec): number => spec.taskCount + (spec.finalTask ? 1 : 0);

export const isFinalTask = (spec: JobSpec, taskIndex: number): boolean => taskIndex === spec.taskCount;

/** What a task runs: the final task has a command, environment and output of its own. */
export function workOf(spec: JobSpec, taskIndex: number): FinalTask {
  const work = isFinalTask(spec, taskIndex) && spec.finalTask ? spec.finalTask : spec;
  const command = work.command.map((word) => word.replaceAll(TASK_INDEX_PLACEHOLDER, String(taskIndex)));
  return { command, env: work.env, outputPath: work.outputPath };
}
