// The customer's side of a job: quote, submit, follow until it has ended, wait until the last cent is settled.
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const JOB_MS = 240_000;
const SETTLE_MS = 120_000;
const OFFERS_MS = 10_000;
const FINISHED = new Set(['JOB_STATE_SUCCEEDED', 'JOB_STATE_FAILED', 'JOB_STATE_CANCELLED', 'JOB_STATE_REJECTED']);

export const plain = (value) => (value ?? '').replace(/^[A-Z]+(_[A-Z]+)*?_(STATE|KIND)_/, '');

/** Uploads the inputs, asks for a quote and submits the job under it. */
export async function submit(customer, { spec, inputs }) {
  for (const { sha256, bytes } of inputs) await customer.client.upload(sha256, bytes);
  const quote = await firstQuote(customer, spec);
  const { job } = await customer.client.post('/v1/jobs', { projectId: customer.projectId, quoteId: quote.quoteId });
  return { quote, job };
}

/** The market hears of new offers a moment after they were made. */
async function firstQuote(customer, spec) {
  const deadline = Date.now() + OFFERS_MS;
  for (;;) {
    try {
      return (await customer.client.post('/v1/quotes', { projectId: customer.projectId, spec })).quote;
    } catch (error) {
      if (error.reason !== 'NO_FEASIBLE_OFFER' || Date.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
}

/** Follows a job through server-sent events, resuming after a cut, and calls `onChange(job)` for every version. */
export async function follow(client, jobId, onChange) {
  const deadline = AbortSignal.timeout(JOB_MS);
  let version = '0';
  for (;;) {
    try {
      for await (const { job } of client.events(`/v1/jobs/${jobId}:watch?resumeVersion=${version}`, deadline)) {
        version = job.version ?? version;
        onChange(job);
        if (FINISHED.has(job.state)) return job;
      }
    } catch (error) {
      if (deadline.aborted) throw new Error(`job ${jobId} did not end within ${JOB_MS / 1000} s`);
      if (error.status && error.status < 500) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

/** Prints a task's log as it grows; ends with the run. */
export async function followLog(client, jobId, taskIndex, onLine) {
  let partial = '';
  try {
    for await (const event of client.events(`/v1/jobs/${jobId}/tasks/${taskIndex}/log`, AbortSignal.timeout(JOB_MS))) {
      const lines = (partial + Buffer.from(event.data ?? '', 'base64').toString()).split('\n');
      partial = lines.pop();
      lines.forEach(onLine);
    }
  } catch (error) {
    onLine(`(the live log was cut: ${error.message})`);
  }
}

/** Waits until every usage record is in, the rest of the hold is released and the invoice is issued. */
export async function untilSettled(client, jobId) {
  const deadline = Date.now() + SETTLE_MS;
  for (;;) {
    const { statement } = await client.get(`/v1/jobs/${jobId}/statement`);
    if (statement.settled) return statement;
    if (Date.now() > deadline)
      throw new Error(`job ${jobId} was not settled within ${SETTLE_MS / 1000} s: ${JSON.stringify(statement)}`);
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}

/** Downloads every artifact of a job into a folder, each checked against its hash. */
export async function saveArtifacts(client, job, folder) {
  const saved = [];
  for (const task of job.tasks) {
    for (const artifact of task.artifacts ?? []) {
      const path = artifact.path.split('/').map(encodeURIComponent).join('/');
      const bytes = await client.download(`/v1/jobs/${job.jobId}/tasks/${task.taskIndex ?? 0}/artifacts/${path}`);
      const sha256 = createHash('sha256').update(bytes).digest('hex');
      if (sha256 !== artifact.sha256)
        throw new Error(`${artifact.path} of task ${task.taskIndex} is not what its hash says`);
      const target = join(folder, `task-${String(task.taskIndex ?? 0).padStart(2, '0')}`, artifact.path);
      mkdirSync(dirname(target), { recursive: true });
      writeFileSync(target, bytes);
      saved.push({ path: target, bytes: bytes.length, sha256 });
    }
  }
  return saved;
}
