import type { Caller, IdGenerator } from '@daya/kernel';
import { newTasks, PLATFORM_ORGANISATION_ID, PLATFORM_PROJECT_ID, type Job } from '../domain/job';
import type { JobSpecInput } from '../domain/job-spec';
import { validateSpec } from '../domain/validate-spec';
import { Violations } from '../domain/violations';
import { contentOf, requireRequestId } from './caller';
import type { MarketState } from './market-state';
import type { SecretBox, Store } from './ports';

export interface SubmitCanaryCommand {
  readonly requestId: string;
  readonly nodeId: string;
  readonly spec: JobSpecInput | undefined;
}

/**
 * Queues a job of the platform's own that runs on one node only, admitted or not, at price 0 and without a hold. The node
 * may still be unknown: the job waits for it. Idempotent by request id.
 */
export class SubmitCanary {
  constructor(
    private readonly store: Store,
    private readonly state: MarketState,
    private readonly box: SecretBox,
    private readonly ids: IdGenerator,
  ) {}

  async execute(caller: Caller, command: SubmitCanaryCommand): Promise<Job> {
    const found = new Violations();
    requireRequestId(found, command.requestId);
    found.uuid('node_id', command.nodeId);
    const { spec, secrets } = validateSpec(command.spec, found.list);
    const job: Job = {
      jobId: this.ids.next(),
      organisationId: PLATFORM_ORGANISATION_ID,
      projectId: PLATFORM_PROJECT_ID,
      state: 'QUEUED',
      spec,
      quoteId: '',
      quoteMicros: 0n,
      reason: '',
      canaryNodeId: command.nodeId,
      createTime: this.state.now(),
      endTime: undefined,
      version: 1n,
    };
    const content = contentOf({ nodeId: command.nodeId, spec, secrets: this.box.digest(secrets) });
    const scope = caller.kind === 'system' ? caller.service : PLATFORM_ORGANISATION_ID;
    const key = { scope, method: 'SubmitCanary', requestId: command.requestId, content };
    const tasks = newTasks(job, [], () => this.ids.next());
    const stored = await this.store.transaction('system', async (tx) => {
      const jobId = await tx.requests.once(key, job.jobId, async () => {
        await tx.jobs.insert(job, this.box.seal(PLATFORM_ORGANISATION_ID, secrets), false);
        await tx.jobs.insertTasks(job, tasks);
        await tx.events.append([{ type: 'job-queued', job }]);
      });
      return (await tx.jobs.lock(jobId)) ?? job;
    });
    if (stored.jobId === job.jobId) {
      this.state.addWaiting(job, tasks);
      this.state.wake();
    }
    return stored;
  }
}
