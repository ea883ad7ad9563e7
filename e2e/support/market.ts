import { randomBytes } from 'node:crypto';
import { images, script, type Platform } from './platform';

/** The REST client of the demo; see deploy/local/demo/client.mjs. */
export interface Rest {
  get<T>(path: string): Promise<T>;
  post<T>(path: string, body?: object): Promise<T>;
  send<T>(method: string, path: string, body?: object, retries?: number): Promise<T>;
  fetch(path: string, options: RequestInit): Promise<Response>;
  list<T>(path: string, field: string): Promise<T[]>;
  upload(sha256: string, source: string | Uint8Array): Promise<void>;
  download(path: string): Promise<Buffer>;
  events<T>(path: string, signal?: AbortSignal): AsyncIterable<T>;
}

export interface Party {
  readonly id: string;
  readonly name: string;
  readonly projectId: string;
  readonly client: Rest;
}

export interface Agent {
  readonly name: string;
  readonly pid: number;
  readonly cwd: string;
  env: Record<string, string>;
  start(): void;
  stop(): Promise<void>;
  kill(signal?: NodeJS.Signals): Promise<void>;
  isAlive(): boolean;
  logTail(): string;
}

export interface Supply extends Party {
  readonly providerId: string;
  readonly agents: readonly Agent[];
  readonly nodes: readonly { readonly name: string; readonly nodeId: string }[];
}

export interface Run {
  readonly runNumber: number;
  readonly state: string;
  readonly leaseId: string;
  readonly nodeId: string;
  readonly leaseToken: string;
  readonly reason?: string;
  readonly fault?: string;
  readonly startTime?: string;
  readonly endTime?: string;
  readonly exitCode?: number;
}

export interface Task {
  readonly taskIndex?: number;
  readonly state: string;
  readonly reason?: string;
  readonly runs?: readonly Run[];
  readonly artifacts?: readonly { readonly path: string; readonly bytes: string; readonly sha256: string }[];
}

export interface Job {
  readonly jobId: string;
  readonly state: string;
  readonly reason?: string;
  readonly tasks?: readonly Task[];
}

export interface Statement {
  readonly settled?: boolean;
  readonly chargedMicros?: string;
  readonly heldMicros?: string;
  readonly releasedMicros?: string;
  readonly feeMicros?: string;
  readonly providerMicros?: string;
  readonly runs?: readonly {
    leaseId: string;
    runNumber: number;
    billableMs?: string;
    chargeMicros?: string;
    waivedReason?: string;
  }[];
}

interface MarketModule {
  openSupply(
    platform: Platform,
    operator: Rest,
    owner: object,
    log: (line: string) => void,
    options?: object,
  ): Promise<Supply>;
  openDemand(platform: Platform, operator: Rest, name: string, depositMicros: string): Promise<Party>;
}

export function restClient(platform: Platform, key = platform.operatorKey): Rest {
  const { Client } = script<{ Client: new (http: string, key: string) => Rest }>('demo/client.mjs');
  return new Client(platform.http, key);
}

/** A region of one test alone: its jobs run on its nodes and nobody else's. */
export const freshRegion = (): string => `test-${randomBytes(4).toString('hex')}`;

export interface NodeWish {
  readonly gpus?: number;
  readonly priceMicros?: number;
}

/** A provider with admitted nodes in a region, each the shipped agent in its own process. */
export async function openSupply(
  platform: Platform,
  region: string,
  nodes: readonly NodeWish[],
  options: { bundle?: string } = {},
): Promise<Supply> {
  const { openSupply: open } = script<MarketModule>('demo/market.mjs');
  const machines = nodes.map(({ gpus = 1, priceMicros = 400_000 }, index) => ({
    name: `${region}-${index}`,
    region,
    pricesMicros: { 'rtx-4090': priceMicros },
    inventory: {
      gpus: Array.from({ length: gpus }, (_, gpu) => ({
        index: gpu,
        gpuModelId: 'rtx-4090',
        vramMib: 24_576,
        uuid: `GPU-${region}-${index}-${gpu}`,
        serial: '',
      })),
      cpuMilli: 16_000,
      memoryMib: 8_192,
      scratchMib: 8_192,
      networkMbps: 100,
      networkAllowed: false,
    },
  }));
  const owner = { organisation: `Provider ${region}`, kind: 'PROVIDER_KIND_INDIVIDUAL', nodes: machines };
  return open(platform, restClient(platform), owner, () => undefined, options);
}

export async function openDemand(platform: Platform, depositMicros: string): Promise<Party> {
  const { openDemand: open } = script<MarketModule>('demo/market.mjs');
  const customer = await open(
    platform,
    restClient(platform),
    `Customer ${randomBytes(4).toString('hex')}`,
    depositMicros,
  );
  const { uploadImage } = script<{ uploadImage(client: Rest, image: { layoutDir: string }): Promise<void> }>(
    'demo/image-upload.mjs',
  );
  const image = images()['povray'];
  if (image === undefined) throw new Error('images.json names no povray image');
  await uploadImage(customer.client, image);
  return customer;
}

/** A job of shell commands on the small image, in a region of its own. */
export function shellJob(region: string, script: string, more: object = {}): object {
  return {
    image: { digest: images()['povray']?.digest },
    command: ['sh', '-c', script],
    taskCount: 1,
    requirements: { gpuCount: 1, cpuMilli: 500, memoryMib: 128, scratchMib: 32, regions: [region] },
    maxRunSeconds: 120,
    outputPath: 'out',
    ...more,
  };
}

/** Writes one artifact after `seconds` of work. */
export const workFor = (seconds: number): string =>
  `mkdir -p out; i=0; while [ $i -lt ${seconds * 10} ]; do sleep 0.1; i=$((i+1)); done; echo done > out/result.txt`;

const FEASIBLE_MS = 20_000;

/** Submits a job; a node that has just come up is waited for, since the market hears of it a moment later. */
export async function submit(customer: Party, spec: object): Promise<string> {
  const deadline = Date.now() + FEASIBLE_MS;
  for (;;) {
    try {
      const { job } = await customer.client.post<{ job: Job }>('/v1/jobs', { projectId: customer.projectId, spec });
      return job.jobId;
    } catch (error) {
      if ((error as { reason?: string }).reason !== 'NO_FEASIBLE_OFFER' || Date.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
}

export const readJob = async (customer: Party, jobId: string): Promise<Job> =>
  (await customer.client.get<{ job: Job }>(`/v1/jobs/${jobId}`)).job;

export const statementOf = async (customer: Party, jobId: string): Promise<Statement> =>
  (await customer.client.get<{ statement: Statement }>(`/v1/jobs/${jobId}/statement`)).statement;

const FINISHED = new Set(['JOB_STATE_SUCCEEDED', 'JOB_STATE_FAILED', 'JOB_STATE_CANCELLED', 'JOB_STATE_REJECTED']);

/** Polls until `holds`, tolerating a platform that is being hurt. Throws with what was seen last. */
export async function until<T>(read: () => Promise<T>, holds: (value: T) => boolean, timeoutMs: number): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  let last: unknown;
  while (Date.now() < deadline) {
    try {
      const value = await read();
      last = value;
      if (holds(value)) return value;
    } catch (error) {
      last = error;
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(
    `did not hold within ${timeoutMs} ms; last seen: ${last instanceof Error ? last.stack : JSON.stringify(last)}`,
  );
}

export const untilFinished = (customer: Party, jobId: string, timeoutMs = 60_000): Promise<Job> =>
  until(
    () => readJob(customer, jobId),
    (job) => FINISHED.has(job.state),
    timeoutMs,
  );

export const untilRunning = (customer: Party, jobId: string, timeoutMs = 30_000): Promise<Run> =>
  until(
    async () => (await readJob(customer, jobId)).tasks?.[0]?.runs?.at(-1),
    (run): run is Run => run?.state === 'RUN_STATE_RUNNING',
    timeoutMs,
  ).then((run) => {
    if (run === undefined) throw new Error('no run');
    return run;
  });

export const untilSettled = (customer: Party, jobId: string, timeoutMs = 90_000): Promise<Statement> =>
  until(
    () => statementOf(customer, jobId),
    (statement) => statement.settled === true,
    timeoutMs,
  );
