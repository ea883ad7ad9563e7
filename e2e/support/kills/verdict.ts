import { Client } from 'pg';
import type { Platform } from '../platform';
import { statementOf, untilSettled, type Job, type Party } from '../market';
import type { Acknowledged } from './acknowledged-list';
import type { LoadClient } from './load-client';
import type { Round } from './rounds';

const SETTLE_MS = 90_000;
const AT_ONCE = 4;

export interface Verdict {
  /** Acknowledged jobs that do not exist or did not succeed. */
  readonly lost: ReadonlyMap<string, string>;
  /** Jobs that nobody was promised, request ids with a second job, tasks with a second result, windows charged twice. */
  readonly doubled: readonly { readonly round: number | undefined; readonly what: string }[];
}

/** Compares the client's list, as it stands on the disk, with what the platform says now. */
export async function judge(
  platform: Platform,
  customer: Party,
  load: LoadClient,
  acknowledged: readonly Acknowledged[],
): Promise<Verdict> {
  const lost = new Map<string, string>();
  const doubled: { round: number | undefined; what: string }[] = [];
  const listed = await customer.client.list<Job>(`/v1/jobs?projectId=${customer.projectId}`, 'jobs');
  const promised = new Set(acknowledged.map(({ jobId }) => jobId));
  const unpromised = listed.filter(({ jobId }) => !promised.has(jobId));
  doubled.push(...unpromised.map(({ jobId }) => ({ round: undefined, what: `job ${jobId} was never acknowledged` })));
  await inParallel(acknowledged, async ({ requestId, jobId, round }) => {
    const job = await customer.client.get<{ job: Job }>(`/v1/jobs/${jobId}`).then(
      (reply) => reply.job,
      (error: unknown) => String(error),
    );
    if (typeof job === 'string') return void lost.set(jobId, job);
    if (job.state !== 'JOB_STATE_SUCCEEDED') lost.set(jobId, `${job.state} ${job.reason ?? ''}`);
    const won =
      job.tasks?.flatMap((task) => task.runs ?? []).filter((run) => run.state === 'RUN_STATE_SUCCEEDED') ?? [];
    if (won.length > 1) doubled.push({ round, what: `job ${jobId} has ${won.length} results` });
    const again = await load.submit(requestId);
    if (again !== jobId) doubled.push({ round, what: `request ${requestId} is job ${jobId} and job ${again}` });
  });
  const twice = await chargedTwice(platform, [...promised]);
  doubled.push(...twice.map((what) => ({ round: undefined, what })));
  return { lost, doubled };
}

/** Every job is settled, and its statement adds up. Returns what does not. */
export async function unsettled(customer: Party, jobIds: readonly string[]): Promise<string[]> {
  const wrong: string[] = [];
  await inParallel(jobIds, async (jobId) => {
    const statement = await untilSettled(customer, jobId, SETTLE_MS).catch(() => statementOf(customer, jobId));
    const runs = (statement.runs ?? []).reduce((sum, run) => sum + BigInt(run.chargeMicros ?? 0), 0n);
    if (statement.settled !== true || runs !== BigInt(statement.chargedMicros ?? 0))
      wrong.push(`${jobId}: ${JSON.stringify(statement)}`);
  });
  return wrong;
}

/** Windows of these jobs that more than one standing charge covers, by the read-only role of billing. */
async function chargedTwice(platform: Platform, jobIds: readonly string[]): Promise<string[]> {
  const url = platform.databases['billing']?.auditUrl;
  const client = new Client({ connectionString: url, statement_timeout: 30_000 });
  await client.connect();
  try {
    const { rows } = await client.query<{ lease_id: string; usage_ids: string }>(
      `SELECT a.lease_id, a.usage_id || ' ' || b.usage_id AS usage_ids
       FROM usage_charge a JOIN usage_window aw USING (usage_id)
       JOIN usage_charge b ON b.lease_id = a.lease_id AND b.usage_id > a.usage_id JOIN usage_window bw ON bw.usage_id = b.usage_id
       WHERE a.job_id = ANY($1::uuid[]) AND a.outcome IN ('charged', 'capped') AND b.outcome IN ('charged', 'capped')
         AND (aw.window_start_time, aw.window_end_time) OVERLAPS (bw.window_start_time, bw.window_end_time)
         AND NOT EXISTS (SELECT 1 FROM charge_reversal r WHERE r.usage_id IN (a.usage_id, b.usage_id))`,
      [jobIds],
    );
    return rows.map((row) => `lease ${row.lease_id}: windows ${row.usage_ids}`);
  } finally {
    await client.end();
  }
}

/** As a reader wants it: one line per round. */
export function table(
  rounds: readonly Round[],
  acknowledged: readonly Acknowledged[],
  { lost, doubled }: Verdict,
): string {
  const head = 'round  seed        victim     in flight  acknowledged  lost  doubled  heal s  finished s';
  const lines = rounds.map(({ round, seed, victim, inFlight, acknowledged: calls, healMs, finishMs }) => {
    const lostHere = acknowledged.filter((entry) => entry.round === round && lost.has(entry.jobId)).length;
    const doubledHere = doubled.filter((entry) => entry.round === round).length;
    const cells = [
      String(round).padStart(5),
      seed.toString(16).padEnd(10),
      victim.padEnd(9),
      String(inFlight).padStart(9),
      String(calls).padStart(12),
      String(lostHere).padStart(4),
      String(doubledHere).padStart(7),
      (healMs / 1_000).toFixed(1).padStart(6),
      (finishMs / 1_000).toFixed(1).padStart(10),
    ];
    return cells.join('  ');
  });
  return [head, ...lines].join('\n');
}

async function inParallel<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const queue = [...items];
  const worker = async (): Promise<void> => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}
