// The final report, for a stranger: what it would have cost elsewhere, who ran what, what was charged and why, who earned what.

const usd = (micros) => `$${(Number(micros) / 1e6).toFixed(6)}`;
const dollars = (micros) => `$${(Number(micros) / 1e6).toLocaleString('en-US', { maximumFractionDigits: 2 })}`;
const tokens = (nano) => (Number(nano) / 1e9).toFixed(4);

export function report({ jobs, ledger, invoices, epochs }, { nodes, owners, models, names }) {
  const nodeName = new Map(nodes.map((node) => [node.nodeId, node.name]));
  const lines = ['', '═══ What happened ═══'];
  for (const job of jobs) lines.push(...jobLines(job, nodeName, models));
  lines.push('', '═══ The ledger (every transfer has two sides, so each asset sums to zero) ═══');
  for (const account of ledger.accounts) {
    lines.push(
      `  ${account.account.replace(/org:([^:]+)/, (whole, id) => names.get(id) ?? whole).padEnd(44)} ${account.asset.padEnd(6)} ${usd(account.posted).padStart(16)}   held ${usd(account.held)}`,
    );
  }
  lines.push(
    `  sums: ${Object.entries(ledger.sum_by_asset)
      .map(([asset, total]) => `${asset} ${total}`)
      .join(', ')}`,
  );
  lines.push('', '═══ Invoices ═══');
  for (const invoice of invoices)
    lines.push(
      `  ${invoice.invoice_id}  ${usd(invoice.total_micros)}  ${invoice.lines.length} line(s), job ${invoice.job_id}`,
    );
  lines.push('', '═══ Reward epochs (the nodes are EMULATED: they earn DAYA_TEST, a token without value) ═══');
  for (const epoch of epochs) lines.push(...epochLines(epoch, owners));
  return lines.join('\n');
}

function jobLines(job, nodeName, models) {
  const busyMs = job.runs.reduce((total, run) => total + run.billable_ms, 0);
  const lines = [
    '',
    `${job.kind === 'ai' ? 'AI job (train a digit classifier)' : 'Render job (12 frames and an animation)'}: ${job.state}`,
  ];
  lines.push(
    `  quoted at most ${usd(job.quote_micros)}, charged ${usd(job.charged_micros)} for ${(busyMs / 1000).toFixed(1)} GPU-seconds, ${usd(job.released_micros)} released`,
  );
  for (const model of new Set(job.runs.map((run) => run.gpu_model)))
    lines.push(`  ${comparison(models.get(model), job)}`);
  for (const run of job.runs) {
    const task = run.task_index === 12 && job.kind === 'render' ? 'final task' : `task ${run.task_index}`;
    lines.push(
      `    ${task.padEnd(10)} run ${run.run_number} ${run.state.padEnd(9)} ${(nodeName.get(run.node_id) ?? run.node_id).padEnd(11)} EMULATED ${run.gpu_model.padEnd(11)} ` +
        `${(run.billable_ms / 1000).toFixed(3).padStart(7)} s × ${usd(run.price_micros_per_gpu_hour)}/h = ${usd(run.charge_micros)}`,
    );
  }
  lines.push(`  of it ${usd(job.provider_micros)} to the providers and ${usd(job.fee_micros)} to the platform`);
  lines.push(`  ${job.artifacts.length} artifact(s), for example ${job.artifacts.at(-1)?.path ?? 'none'}`);
  return lines;
}

function comparison(model, job) {
  if (!model) return 'no comparison: the model is not in the catalogue';
  const runs = job.runs.filter((run) => run.gpu_model === model.gpuModelId);
  const ms = runs.reduce((total, run) => total + run.billable_ms, 0);
  const cloud = (Number(model.cloudPriceMicrosPerHour ?? 0) * ms) / 3_600_000;
  const buy = model.purchasePriceMicros
    ? `buying the card ${dollars(model.purchasePriceMicros)} (${model.purchasePriceSource})`
    : '';
  const rent = cloud
    ? `a cloud ${usd(cloud)} for the same seconds (${model.cloudPriceSource}; clouds bill by the hour or the minute)`
    : 'no cloud price is known';
  return `${model.displayName}: elsewhere ${[buy, rent].filter(Boolean).join(', or ')}`;
}

function epochLines(epoch, owners) {
  const ownerName = new Map(owners.map((owner) => [owner.providerId, owner.name]));
  const lines = [`  epoch ${epoch.number} ${epoch.asset} root ${epoch.root}`, `    manifest ${epoch.manifest_path}`];
  for (const reward of epoch.rewards)
    lines.push(
      `    ${(ownerName.get(reward.account) ?? reward.account).padEnd(24)} ${tokens(reward.amount)} ${epoch.asset}`,
    );
  return lines;
}
