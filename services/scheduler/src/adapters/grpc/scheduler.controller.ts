import { FieldChecks, IdGenerator } from '@daya/kernel';
import { GrpcService, type CallContext, type GrpcHandlers } from '@daya/nest';
import { PageTokens } from '@daya/postgres';
import type * as proto from '@daya/proto/scheduler';
import { SchedulerServiceService } from '@daya/proto/scheduler';
import { CancelJob } from '../../application/cancel-job';
import { GetQuote } from '../../application/get-quote';
import { ExplainJob, ReadJobs } from '../../application/read-jobs';
import { SubmitCanary } from '../../application/submit-canary';
import { SubmitJob } from '../../application/submit-job';
import { toProtoExplanation, toProtoJob, toProtoJobView, toProtoQuote } from '../proto-jobs';
import { fromProtoSpec } from '../proto-requests';
import { fromProtoJobState } from '../proto-states';

@GrpcService(SchedulerServiceService, [
  GetQuote,
  SubmitJob,
  SubmitCanary,
  CancelJob,
  ReadJobs,
  ExplainJob,
  PageTokens,
  IdGenerator,
])
export class SchedulerController implements GrpcHandlers<typeof SchedulerServiceService> {
  constructor(
    private readonly quote: GetQuote,
    private readonly submit: SubmitJob,
    private readonly canary: SubmitCanary,
    private readonly cancel: CancelJob,
    private readonly jobs: ReadJobs,
    private readonly explain: ExplainJob,
    private readonly pages: PageTokens,
    private readonly ids: IdGenerator,
  ) {}

  async getQuote(
    { spec, ...request }: proto.GetQuoteRequest,
    { caller }: CallContext,
  ): Promise<proto.GetQuoteResponse> {
    return { quote: toProtoQuote(await this.quote.execute(caller, { ...request, spec: fromProtoSpec(spec) })) };
  }

  async submitJob(
    { spec, ...request }: proto.SubmitJobRequest,
    { caller }: CallContext,
  ): Promise<proto.SubmitJobResponse> {
    const command = { ...request, spec: fromProtoSpec(spec) };
    const { job, tasks } = await this.submit.execute(caller, command, () => this.ids.next());
    // What was queued just now has no runs yet; whoever repeats a request wants to know how far the job is.
    const queued = { job, tasks: tasks.map((task) => ({ task, runs: [], artifacts: [] })) };
    return { job: toProtoJobView(tasks.length > 0 ? queued : await this.jobs.get(caller, job.jobId)) };
  }

  async submitCanary(
    { spec, ...request }: proto.SubmitCanaryRequest,
    { caller }: CallContext,
  ): Promise<proto.SubmitCanaryResponse> {
    const job = await this.canary.execute(caller, { ...request, spec: fromProtoSpec(spec) });
    return { job: toProtoJobView(await this.jobs.get(caller, job.jobId)) };
  }

  async getJob({ jobId }: proto.GetJobRequest, { caller }: CallContext): Promise<proto.GetJobResponse> {
    return { job: toProtoJobView(await this.jobs.get(caller, jobId)) };
  }

  async listJobs(
    { projectId, state, ...page }: proto.ListJobsRequest,
    { caller }: CallContext,
  ): Promise<proto.ListJobsResponse> {
    const wanted = fromProtoJobState(state);
    const checks = new FieldChecks().optionalUuid('project_id', projectId);
    checks.require(wanted !== null, 'state', 'UNKNOWN_VALUE', 'is not a state');
    const filter = `jobs/${projectId}/${wanted ?? ''}`;
    const { size, after } = this.pages.read(page, filter, { checks });
    const found = await this.jobs.list(caller, {
      projectId: projectId || undefined,
      state: wanted ?? undefined,
      limit: size + 1,
      before: after && { createTime: new Date(after['createTime'] ?? 0), jobId: after['jobId'] ?? '' },
    });
    const jobs = found.slice(0, size);
    const last = found.length > size ? jobs.at(-1) : undefined;
    const cursor = last && { createTime: last.createTime.toISOString(), jobId: last.jobId };
    return { jobs: jobs.map((job) => toProtoJob(job)), nextPageToken: this.pages.write(cursor, filter) };
  }

  async cancelJob(request: proto.CancelJobRequest, { caller }: CallContext): Promise<proto.CancelJobResponse> {
    await this.cancel.execute(caller, request);
    return { job: toProtoJobView(await this.jobs.get(caller, request.jobId)) };
  }

  async *watchJob(
    { jobId, resumeVersion }: proto.WatchJobRequest,
    { caller, signal }: CallContext,
  ): AsyncIterable<proto.WatchJobResponse> {
    for await (const view of this.jobs.watch(caller, jobId, resumeVersion, signal)) yield { job: toProtoJobView(view) };
  }

  async explainJob(
    { jobId, spec }: proto.ExplainJobRequest,
    { caller }: CallContext,
  ): Promise<proto.ExplainJobResponse> {
    return toProtoExplanation(await this.explain.execute(caller, { jobId, spec: fromProtoSpec(spec) }));
  }

  async getArtifact(
    { jobId, taskIndex, path }: proto.GetArtifactRequest,
    { caller }: CallContext,
  ): Promise<proto.GetArtifactResponse> {
    return { artifact: { ...(await this.jobs.artifact(caller, jobId, taskIndex, path)) } };
  }
}
