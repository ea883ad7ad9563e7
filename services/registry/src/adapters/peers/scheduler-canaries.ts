import { readFileSync } from 'node:fs';
import { toDomainError, type GrpcClient } from '@daya/nest';
import { JobSpec, JobState, type SchedulerServiceService, type SubmitCanaryResponse } from '@daya/proto/scheduler';
import { Canaries, type CanaryStatus } from '../../application/ports';

const DEADLINE_MS = 5_000;

export type SchedulerClient = GrpcClient<typeof SchedulerServiceService>;

/** Reads the operator's canary. Throws when the file holds no JobSpec with an image. */
export function readCanarySpec(file: string): JobSpec {
  const spec = JobSpec.fromJSON(JSON.parse(readFileSync(file, 'utf8')));
  if (!spec.image?.digest) throw new Error(`${file} names no image: a canary is a JobSpec in JSON`);
  return spec;
}

/** Runs canaries through the ordinary rental path of the scheduler. */
export class SchedulerCanaries extends Canaries {
  constructor(
    private readonly scheduler: SchedulerClient,
    private readonly spec: JobSpec,
  ) {
    super();
  }

  override async submit(requestId: string, nodeId: string): Promise<CanaryStatus> {
    const request = { requestId, nodeId, spec: this.spec };
    const answer = await this.scheduler.submitCanary(request, { deadlineMs: DEADLINE_MS }).catch((error: unknown) => {
      throw toDomainError(error);
    });
    return statusOf(answer);
  }
}

function statusOf({ job }: SubmitCanaryResponse): CanaryStatus {
  if (job === undefined || job.jobId === '') throw new Error('scheduler answered SubmitCanary without a job');
  const outcome = outcomeOf(job.state);
  return { jobId: job.jobId, outcome, reason: outcome === 'failed' ? reasonOf(job.state, job.reason) : '' };
}

export function outcomeOf(state: JobState): CanaryStatus['outcome'] {
  switch (state) {
    case JobState.SUCCEEDED:
      return 'succeeded';
    case JobState.FAILED:
    case JobState.CANCELLED:
    case JobState.REJECTED:
      return 'failed';
    case JobState.FUNDING:
    case JobState.QUEUED:
    case JobState.RUNNING:
    case JobState.UNSPECIFIED:
    case JobState.UNRECOGNIZED:
      return 'running';
  }
}

/** A reason always, so that a refused node's owner never reads an empty one. */
export const reasonOf = (state: JobState, reason: string): string =>
  reason === '' ? state.replace('JOB_STATE_', 'CANARY_') : reason;
