// Gathers what the report and the JSON say (docs/contracts/demo.schema.json), and checks every promise of the demo.
import { plain } from './jobs.mjs';

const micros = (value) => String(value ?? '0');
const sum = (values) => values.reduce((total, value) => total + BigInt(value ?? 0), 0n);

/** One job as the JSON contract has it. */
export function jobResult({ kind, job, statement, artifacts }) {
  const charges = new Map(statement.runs?.map((run) => [run.leaseId, run]) ?? []);
  const runs = job.tasks.flatMap((task) =>
    (task.runs ?? []).map((run) => runResult(task.taskIndex ?? 0, run, charges.get(run.leaseId))),
  );
  return {
    job_id: job.jobId,
    kind,
    state: plain(job.state),
    quote_micros: micros(job.quoteMicros),
    charged_micros: micros(statement.chargedMicros),
    fee_micros: micros(statement.feeMicros),
    provider_micros: micros(statement.providerMicros),
    released_micros: micros(statement.releasedMicros),
    runs,
    other_lines: [],
    artifacts,
  };
}

function runResult(taskIndex, run, charge) {
  return {
    task_index: taskIndex,
    run_number: run.runNumber,
    state: plain(run.state),
    node_id: run.nodeId,
    gpu_model: run.gpuModelId,
    gpu_milli: run.gpuMilli,
    emulated: run.emulated ?? false,
    lease_token: String(run.leaseToken),
    start_time: run.startTime ?? null,
    end_time: run.endTime ?? null,
    billable_ms: Number(charge?.billableMs ?? 0),
    price_micros_per_gpu_hour: micros(run.priceMicrosPerGpuHour),
    charge_micros: micros(charge?.chargeMicros),
  };
}

export async function ledgerResult(operator) {
  const accounts = [];
  let sums = [];
  let token = '';
  do {
    const page = await operator.get(`/v1/trial-balance?pageSize=200&pageToken=${encodeURIComponent(token)}`);
    accounts.push(...(page.accounts ?? []));
    sums = page.sums ?? [];
    token = page.nextPageToken ?? '';
  } while (token);
  return {
    accounts: accounts.map(({ account, posted, held }) => ({
      account,
      asset: posted?.asset ?? held?.asset,
      posted: micros(posted?.amount),
      held: micros(held?.amount),
    })),
    sum_by_asset: Object.fromEntries(sums.map(({ asset, amount }) => [asset, micros(amount)])),
  };
}

export const invoiceResult = (invoice) => ({
  invoice_id: invoice.invoiceId,
  job_id: invoice.jobId,
  total_micros: micros(invoice.totalMicros),
  lines: (invoice.lines ?? []).map((line) => ({
    what: line.what,
    task_index: line.taskIndex ?? 0,
    run_number: line.runNumber ?? 0,
    billable_ms: Number(line.billableMs ?? 0),
    price_micros_per_gpu_hour: micros(line.priceMicrosPerGpuHour),
    gpu_milli: line.gpuMilli ?? 0,
    amount_micros: micros(line.amountMicros),
  })),
});

/** Every promise that does not hold, in words; empty: the demo may exit 0. */
export function brokenPromises({ jobs, ledger, invoices, epochs }, { nodesAtOnce }) {
  const broken = [];
  const expect = (holds, text) => holds || broken.push(text);
  for (const job of jobs) {
    const charged = BigInt(job.charged_micros);
    expect(job.state === 'SUCCEEDED', `${job.kind}: the job ended as ${job.state}`);
    expect(
      charged === sum(job.runs.map((run) => run.charge_micros)),
      `${job.kind}: the runs' charges do not add up to the charge`,
    );
    expect(
      charged === BigInt(job.fee_micros) + BigInt(job.provider_micros),
      `${job.kind}: fee and provider's part do not add up`,
    );
    expect(
      BigInt(job.quote_micros) === charged + BigInt(job.released_micros),
      `${job.kind}: charge and release do not add up to the quote`,
    );
    const billed = sum(
      invoices.filter((invoice) => invoice.job_id === job.job_id).map((invoice) => invoice.total_micros),
    );
    expect(charged === billed, `${job.kind}: the invoices do not add up to the charge`);
    expect(charged > 0n, `${job.kind}: nothing was charged`);
    expect(job.artifacts.length > 0, `${job.kind}: no artifacts`);
  }
  for (const [asset, total] of Object.entries(ledger.sum_by_asset))
    expect(total === '0', `the ledger's ${asset} sums to ${total}`);
  for (const account of ledger.accounts) expect(account.held === '0', `${account.account} still holds ${account.held}`);
  expect(nodesAtOnce >= 3, `the render job ran on ${nodesAtOnce} nodes at once, not 3`);
  expect(epochs.length > 0, 'no reward epoch is closed');
  return broken;
}
