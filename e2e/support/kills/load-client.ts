import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Platform, ServiceName } from '../platform';
import { shellJob, workFor, type Job, type Party, type Rest } from '../market';
import { type AcknowledgedList } from './acknowledged-list';
import { Caller, probeOf, type Answer } from './calls';
import type { Random } from './random';

export const SERVICES: readonly ServiceName[] = [
  'registry',
  'scheduler',
  'dispatch',
  'metering',
  'billing',
  'rewards',
  'gateway',
];

const READERS = 8;
/** A reader makes a call this often at most: about 60 calls a second in all, so that two cores have time to work too. */
const READ_EVERY_MS = 130;
const UNFINISHED_MAX = 4;
const SUBMIT_EVERY_MS = 400;
const POLL_MS = 150;
const RETRY_MS = 100;
/** Statuses that tell the client to ask again; a connection that broke counts as one. */
const PASSING = new Set([0, 429, 502, 503, 504]);
/** After an outage of the platform itself no node has been heard of for a while: there is no offer until they report. */
const PASSING_REASON = 'NO_FEASIBLE_OFFER';
const FINISHED = new Set(['JOB_STATE_SUCCEEDED', 'JOB_STATE_FAILED', 'JOB_STATE_CANCELLED', 'JOB_STATE_REJECTED']);

export interface Tracked {
  readonly jobId: string;
  readonly acknowledgedMs: number;
  finishedMs?: number;
}

/** A customer that submits small jobs without a pause and reads everywhere, and writes down what it was promised. */
export class LoadClient {
  readonly caller: Caller;
  readonly jobs: Tracked[] = [];
  /** Answers that a client has no way to deal with. */
  readonly surprises: string[] = [];
  /** Submits that found no node to run on. */
  noOffer = 0;
  /** Which service the readers ask most. */
  focus: ServiceName = 'scheduler';
  round = 0;
  private stopping = false;
  private loops: Promise<void>[] = [];

  constructor(
    platform: Platform,
    private readonly customer: Party,
    private readonly region: string,
    private readonly list: AcknowledgedList,
    private readonly random: Random,
  ) {
    this.caller = new Caller(platform.http, (customer.client as Rest & { readonly key: string }).key);
  }

  start(): void {
    this.loops = [
      this.repeat(SUBMIT_EVERY_MS, () => this.submitOne()),
      this.repeat(POLL_MS, () => this.follow()),
      ...Array.from({ length: READERS }, () => this.repeat(READ_EVERY_MS, () => this.readOne())),
    ];
  }

  async stop(): Promise<void> {
    this.stopping = true;
    await Promise.all(this.loops);
  }

  spec(): object {
    return shellJob(this.region, workFor(0.1));
  }

  submission(requestId: string): string {
    return JSON.stringify({ requestId, projectId: this.customer.projectId, spec: this.spec() });
  }

  /** Asks with the same request id until the platform acknowledges or refuses for good. */
  async submit(requestId: string): Promise<string | undefined> {
    for (;;) {
      const body = this.submission(requestId);
      const answer = await this.caller.call({ target: 'scheduler', method: 'POST', path: '/v1/jobs', body });
      if (answer.text.includes(PASSING_REASON)) this.noOffer += 1;
      if (answer.ok) return (JSON.parse(answer.text) as { job: Job }).job.jobId;
      if (!PASSING.has(answer.status) && !answer.text.includes(PASSING_REASON)) {
        this.surprise('submit', answer);
        return undefined;
      }
      await sleep(RETRY_MS);
      if (this.stopping) return undefined;
    }
  }

  /** The service answers through the gateway again. */
  async untilAnswers(service: ServiceName, timeoutMs: number): Promise<void> {
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      const answer = await this.caller.call(this.probe(service));
      if (answer.ok) return;
      if (Date.now() > deadline)
        throw new Error(`${service} did not answer within ${timeoutMs} ms: ${answer.status} ${answer.text}`);
      await sleep(RETRY_MS);
    }
  }

  /** Resolves when every job acknowledged before `beforeMs` has finished; with the time of the last. */
  async untilFinished(beforeMs: number, deadlineMs: number): Promise<number> {
    const mine = this.jobs.filter((job) => job.acknowledgedMs <= beforeMs);
    for (;;) {
      const open = mine.filter((job) => job.finishedMs === undefined);
      if (open.length === 0) return Math.max(beforeMs, ...mine.map((job) => job.finishedMs ?? 0));
      if (Date.now() > deadlineMs)
        throw new Error(
          `not finished in time: ${open.map((job) => job.jobId).join(', ')}\n${await this.describe(open)}`,
        );
      await sleep(POLL_MS);
    }
  }

  private async describe(jobs: readonly Tracked[]): Promise<string> {
    const read = jobs.slice(0, 3).map(({ jobId }) => this.caller.call(probeOf('scheduler', this.customer, jobId)));
    return (await Promise.all(read)).map((answer) => answer.text).join('\n');
  }

  private probe(service: ServiceName) {
    return probeOf(service, this.customer, this.jobs.at(-1)?.jobId);
  }

  private async submitOne(): Promise<void> {
    if (this.jobs.filter((job) => job.finishedMs === undefined).length >= UNFINISHED_MAX) return;
    const requestId = randomUUID();
    const jobId = await this.submit(requestId);
    if (jobId === undefined) return;
    const atMs = Date.now();
    this.list.add({ requestId, jobId, round: this.round, atMs });
    this.jobs.push({ jobId, acknowledgedMs: atMs });
  }

  private async follow(): Promise<void> {
    for (const job of this.jobs.filter(({ finishedMs }) => finishedMs === undefined)) {
      const answer = await this.caller.call(probeOf('scheduler', this.customer, job.jobId));
      if (answer.ok && FINISHED.has((JSON.parse(answer.text) as { job: Job }).job.state)) job.finishedMs = Date.now();
      else if (!answer.ok && !PASSING.has(answer.status)) this.surprise(`read of ${job.jobId}`, answer);
    }
  }

  private async readOne(): Promise<void> {
    const other = SERVICES[Math.floor(this.random() * SERVICES.length)] ?? this.focus;
    const service = this.random() < 0.5 ? this.focus : other;
    const answer = await this.caller.call(this.probe(service));
    if (!answer.ok && !PASSING.has(answer.status)) this.surprise(`read of ${service}`, answer);
  }

  private surprise(what: string, { status, text }: Answer): void {
    this.surprises.push(`round ${this.round}: ${what}: ${status} ${text.slice(0, 300)}`);
  }

  private async repeat(everyMs: number, work: () => Promise<void>): Promise<void> {
    while (!this.stopping) {
      const nextMs = Date.now() + everyMs;
      await work();
      await sleep(Math.max(0, nextMs - Date.now()));
    }
  }
}
