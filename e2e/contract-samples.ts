/** One valid document of each contract; the tests plant violations into copies. */

const run = (taskIndex: number, chargeMicros: string) => ({
  task_index: taskIndex,
  run_number: 1,
  state: 'SUCCEEDED',
  node_id: '0197a0a0-0000-7000-8000-000000000001',
  gpu_model: 'rtx-4090',
  gpu_milli: 1000,
  emulated: true,
  lease_token: '7',
  start_time: '2026-11-25T01:00:00.250Z',
  end_time: '2026-11-25T01:00:15Z',
  billable_ms: 14_750,
  price_micros_per_gpu_hour: '390000',
  charge_micros: chargeMicros,
});

const refused = {
  ...run(0, '0'),
  state: 'REFUSED',
  start_time: null,
  end_time: null,
  billable_ms: 0,
};

const job = (kind: string, jobId: string) => ({
  job_id: jobId,
  kind,
  state: 'SUCCEEDED',
  quote_micros: '2000',
  charged_micros: '1500',
  fee_micros: '150',
  provider_micros: '1350',
  released_micros: '500',
  runs: [run(0, '1500'), refused],
  other_lines: [],
  artifacts: [{ path: `.daya/demo/artifacts/${kind}/metrics.json`, bytes: 120, sha256: 'ab'.repeat(32) }],
});

const invoice = (jobId: string) => ({
  invoice_id: `invoice-of-${jobId}`,
  job_id: jobId,
  total_micros: '1500',
  lines: [
    {
      what: 'GPU time',
      task_index: 0,
      run_number: 1,
      billable_ms: 14_750,
      price_micros_per_gpu_hour: '390000',
      gpu_milli: 1000,
      amount_micros: '1500',
    },
  ],
});

const account = (name: string, posted: string) => ({ account: name, asset: 'USD', posted, held: '0' });

export const DEMO_SAMPLE = {
  jobs: [job('ai', 'job-1'), job('render', 'job-2')],
  ledger: {
    accounts: [
      account('world:bank', '-50000000'),
      account('org:0197a0a0-0000-7000-8000-000000000002:wallet', '49997000'),
      account('org:0197a0a0-0000-7000-8000-000000000003:payable', '2700'),
      account('fee', '300'),
    ],
    sum_by_asset: { USD: '0' },
  },
  invoices: [invoice('job-1'), invoice('job-2')],
  epochs: [
    {
      number: 3,
      asset: 'DAYA_TEST',
      root: `0x${'1f'.repeat(32)}`,
      manifest_path: '.daya/demo/epochs/DAYA_TEST/epoch-3/manifest.json',
      rewards: [
        { account: '0197a0a0-0000-7000-8000-000000000004', amount: '128000000000' },
        { account: 'insurance', amount: '0' },
      ],
    },
  ],
  timings_ms: {
    install: null,
    infra: 9000,
    build: 8000,
    boot: 6000,
    jobs: 40_000,
    close: 12_000,
    stop: 3000,
    total: 78_000,
  },
};

export const BENCH_SAMPLE = {
  bench: 'grpc',
  machine: 'Some processor, 2 cores, 24 GiB, Linux 6.1, Node v20.19.0',
  load: '64 calls in flight',
  rounds: 12,
  measures: [
    {
      id: 'server-cpu-per-call',
      value: 91.5,
      spread: 8,
      unit: 'µs',
      better: 'lower',
      peer: 'raw grpc-js',
      peer_value: 70,
      ratio: 1.307,
      goal: { on: 'ratio', op: '<=', number: 1.5 },
      met: true,
    },
    {
      id: 'cold-server-cpu-per-call',
      value: 900,
      spread: 0,
      unit: 'µs',
      better: 'lower',
      peer: null,
      peer_value: null,
      ratio: null,
      goal: null,
      met: null,
    },
  ],
};

export const REPLAY_SAMPLE = {
  policy: 'cheapest-then-best-fit',
  nodes_sha256: '0a'.repeat(32),
  pods_sha256: '0b'.repeat(32),
  dropped: 12,
  dropped_though_feasible: 0,
  seeds: 2,
  allocated_percent_at_100: 92.4,
  allocated_percent_at_130: 97.1,
  per_seed: [
    { seed: 0, at_100: 92.3, at_130: 97 },
    { seed: 1, at_100: 92.5, at_130: 97.2 },
  ],
  seconds_per_run: 31.5,
};
