import { randomUUID } from 'node:crypto';
import { DomainError } from '@daya/kernel';
import { baseConfigShape, GrpcService, loadConfig, provideValue, runService, type RunningService } from '@daya/nest';
import {
  Job,
  JobState,
  SchedulerServiceService,
  type SubmitCanaryRequest,
  type SubmitCanaryResponse,
} from '@daya/proto/scheduler';
import type { TestIdentity } from '@daya/testing';
import { z } from 'zod';

/** The scheduler as far as admission needs it: one job per request id, whose state the test decides. */
export class FakeScheduler {
  readonly jobs = new Map<string, Job>();
  readonly requests: SubmitCanaryRequest[] = [];
  /** Answers as if the node were not known yet. */
  refuse = false;
  /** State of new jobs. */
  state = JobState.QUEUED;

  submit(request: SubmitCanaryRequest): SubmitCanaryResponse {
    this.requests.push(request);
    if (this.refuse) throw new DomainError('not-found', 'NODE_NOT_FOUND', 'node not found');
    const job = this.jobs.get(request.requestId) ?? Job.fromPartial({ jobId: randomUUID(), state: this.state });
    this.jobs.set(request.requestId, job);
    return { job };
  }

  jobOf(nodeId: string): Job | undefined {
    const request = this.requests.findLast((one) => one.nodeId === nodeId);
    return request && this.jobs.get(request.requestId);
  }

  /** The request ids that came in for a node. */
  requestIdsOf(nodeId: string): string[] {
    return this.requests.filter((one) => one.nodeId === nodeId).map((one) => one.requestId);
  }
}

/** The part of the service that the registry calls. */
const CanaryService = { submitCanary: SchedulerServiceService.submitCanary };

@GrpcService(CanaryService, [FakeScheduler])
class FakeSchedulerController {
  constructor(private readonly scheduler: FakeScheduler) {}

  async submitCanary(request: SubmitCanaryRequest): Promise<SubmitCanaryResponse> {
    return Promise.resolve(this.scheduler.submit(request));
  }
}

class SchedulerModule {}

export function startFakeScheduler(scheduler: FakeScheduler, identity: TestIdentity): Promise<RunningService> {
  const env = {
    ...identity.env('scheduler'),
    GRPC_PORT: '0',
    ADMIN_PORT: '0',
    BIND_ADDRESS: '127.0.0.1',
    LOG_LEVEL: 'fatal',
    DRAIN_MS: '1000',
  };
  return runService({
    name: 'scheduler',
    config: loadConfig(z.object(baseConfigShape), env),
    module: {
      module: SchedulerModule,
      controllers: [FakeSchedulerController],
      providers: [provideValue(FakeScheduler, scheduler)],
    },
    grpc: [CanaryService],
    ownsProcess: false,
  });
}
