import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { GrpcCallError } from '@daya/nest/client';
import { JobSpec } from '@daya/proto/scheduler';
import { ownerOf, type PlatformClients } from './platform-clients';
import { wallMs } from './wall-clock';

/** Who submits, in turns. */
export interface Customer {
  readonly organisationId: string;
  readonly projectId: string;
}

/** One submission: due at, and acknowledged at, in wall-clock milliseconds. */
export interface Submitted {
  readonly jobId: string;
  readonly dueMs: number;
  readonly acknowledgedMs: number;
}

const SUBMIT_MS = 30_000;
const MAX_RUN_SECONDS = 10;

/** Submits jobs of `taskCount` tasks and remembers what was acknowledged and what was refused. */
export class Submissions {
  readonly submitted: Submitted[] = [];
  readonly refusals = new Map<string, number>();
  private turn = 0;

  constructor(
    private readonly clients: PlatformClients,
    private readonly customers: readonly Customer[],
    readonly taskCount: number,
  ) {}

  /** `inFlight` submitters, each sending the next when the last is answered, for `ms`. Ends when all are answered. */
  async closedLoop(inFlight: number, ms: number): Promise<void> {
    const endMs = wallMs() + ms;
    const worker = async (): Promise<void> => {
      while (wallMs() < endMs) await this.submit(wallMs());
    };
    await Promise.all(Array.from({ length: inFlight }, worker));
  }

  /** Arrivals at random moments (Poisson), on average `perSecond`, whatever the platform does. Ends when all are answered. */
  async openLoop(perSecond: number, ms: number, random: () => number): Promise<void> {
    const endMs = wallMs() + ms;
    const open: Promise<void>[] = [];
    for (let dueMs = wallMs(); dueMs < endMs; dueMs += (-Math.log(1 - random()) / perSecond) * 1_000) {
      const waitMs = dueMs - wallMs();
      if (waitMs > 0) await sleep(waitMs);
      open.push(this.submit(dueMs));
    }
    await Promise.all(open);
  }

  /** Refusals are counted, never thrown. */
  private async submit(dueMs: number): Promise<void> {
    const customer = this.customers[(this.turn += 1) % this.customers.length] as Customer;
    const request = { requestId: randomUUID(), projectId: customer.projectId, quoteId: '', spec: spec(this.taskCount) };
    try {
      const options = { caller: ownerOf(customer.organisationId), deadlineMs: SUBMIT_MS };
      const { job } = await this.clients.scheduler.submitJob(request, options);
      this.submitted.push({ jobId: job?.jobId ?? '', dueMs, acknowledgedMs: wallMs() });
    } catch (error) {
      const why = error instanceof GrpcCallError ? `${error.code} ${error.reason ?? error.message}` : String(error);
      this.refusals.set(why, (this.refusals.get(why) ?? 0) + 1);
    }
  }
}

const spec = (taskCount: number): JobSpec =>
  JobSpec.fromPartial({
    image: { reference: '', digest: `sha256:${'ab'.repeat(32)}` },
    command: ['true', '{task.index}'],
    taskCount,
    requirements: { gpuCount: 1 },
    maxRunSeconds: MAX_RUN_SECONDS,
  });
