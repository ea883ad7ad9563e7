import { notFound, refuseInvalid, scopeOf, type Caller } from '@daya/kernel';
import { explain, type Explanation } from '../domain/explanation';
import type { Job } from '../domain/job';
import type { JobSpecInput } from '../domain/job-spec';
import type { Artifact } from '../domain/report';
import { wantedOf } from '../domain/requirements';
import { isFinalJob } from '../domain/states';
import { SPEC_LIMITS, validateSpec } from '../domain/validate-spec';
import { Violations } from '../domain/violations';
import { requireId } from './caller';
import type { MarketState } from './market-state';
import type { JobFeed, JobFilter, JobQueries, JobView } from './ports';

/** Reads of jobs; a foreign job answers `not-found` JOB_NOT_FOUND exactly like a missing one. */
export class ReadJobs {
  constructor(
    private readonly queries: JobQueries,
    private readonly feed: JobFeed,
  ) {}

  async get(caller: Caller, jobId: string): Promise<JobView> {
    requireId('job_id', jobId);
    const view = await this.queries.job(scopeOf(caller), jobId);
    if (!view) throw notFound('job', jobId);
    return view;
  }

  list(caller: Caller, filter: JobFilter): Promise<Job[]> {
    return this.queries.jobs(scopeOf(caller), filter);
  }

  async artifact(caller: Caller, jobId: string, taskIndex: number, path: string): Promise<Artifact> {
    const found = new Violations();
    found.uuid('job_id', jobId);
    found.range('task_index', taskIndex, 0, SPEC_LIMITS.taskCountMax);
    found.length('path', path, 1, SPEC_LIMITS.pathLengthMax);
    found.check('path', !path.includes('\0'), 'MALFORMED', 'must not contain U+0000');
    refuseInvalid(found.list);
    const artifact = await this.queries.artifact(scopeOf(caller), jobId, taskIndex, path);
    if (!artifact) throw notFound('artifact', path);
    return artifact;
  }

  /**
   * The job, then again after every change, until it has finished or `signal` aborts. `resumeVersion` is the last version
   * that was received. Changes may be skipped, the last state never.
   */
  async *watch(caller: Caller, jobId: string, resumeVersion: bigint, signal: AbortSignal): AsyncGenerator<JobView> {
    requireId('job_id', jobId);
    if (resumeVersion < 0n)
      refuseInvalid([{ field: 'resume_version', reason: 'OUT_OF_RANGE', description: 'must not be negative' }]);
    let last = resumeVersion;
    let known = false;
    while (!signal.aborted) {
      const changed = this.feed.wait(jobId, POLL_MS, signal);
      const version = await this.queries.version(scopeOf(caller), jobId);
      if (version === undefined) throw notFound('job', jobId);
      if (version > last || !known) {
        const { job, tasks } = await this.get(caller, jobId);
        known = true;
        if (job.version > last) yield { job, tasks };
        last = job.version > last ? job.version : last;
        if (isFinalJob(job.state) && job.endTime) return;
      }
      await changed;
    }
  }
}

/** Changes made by another process are seen after at most this long. */
const POLL_MS = 500;

/** Tells how many offers each requirement removes from the market as it is now. */
export class ExplainJob {
  constructor(
    private readonly jobs: ReadJobs,
    private readonly state: MarketState,
  ) {}

  async execute(
    caller: Caller,
    { jobId, spec }: { readonly jobId: string; readonly spec: JobSpecInput | undefined },
  ): Promise<Explanation> {
    const found = new Violations();
    found.check('job_id', jobId !== '' || spec !== undefined, 'REQUIRED', 'one of job_id and spec must be set');
    found.check('spec', jobId === '' || spec === undefined, 'CONFLICT', 'only one of job_id and spec may be set');
    refuseInvalid(found.list);
    const nowMs = this.state.now().getTime();
    if (spec) return explain(this.state.market, wantedOf(validateSpec(spec).spec), nowMs);
    const { job, tasks } = await this.jobs.get(caller, jobId);
    const next = tasks.find(({ task }) => task.state === 'QUEUED')?.task;
    return explain(this.state.market, wantedOf(job.spec, next?.priceMicrosMax), nowMs);
  }
}
