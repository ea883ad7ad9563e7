import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import addFormats from 'ajv-formats';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020';
import { BENCH_SAMPLE, DEMO_SAMPLE, REPLAY_SAMPLE } from './contract-samples';

const ROOT = join(__dirname, '..');

/** A place in a sample (`jobs.0.kind`) and what a sloppy program might write there; undefined: the field is missing. */
type Violation = readonly [place: string, value: unknown];

function contract(name: string): ValidateFunction {
  const ajv = new Ajv2020({
    strict: true,
    strictTypes: false,
    strictRequired: false,
    allowUnionTypes: true,
    allErrors: true,
  });
  addFormats.default(ajv);
  return ajv.compile(JSON.parse(readFileSync(join(ROOT, 'docs/contracts', `${name}.schema.json`), 'utf8')) as object);
}

function planted(sample: unknown, [place, value]: Violation): unknown {
  const copy = structuredClone(sample);
  const path = place.split('.');
  const last = path.pop() as string;
  const parent = path.reduce((node, key) => (node as Record<string, unknown>)[key], copy) as Record<string, unknown>;
  if (value === undefined) {
    expect(parent).toHaveProperty([last]);
    delete parent[last];
  } else parent[last] = value;
  return copy;
}

/** What a module of the repository's scripts makes of `input`, in a process of its own as those scripts run. */
function fromScript(code: string, input: unknown): unknown {
  const args = ['--input-type=module', '-e', code, JSON.stringify(input)];
  return JSON.parse(execFileSync(process.execPath, args, { cwd: ROOT, encoding: 'utf8' }));
}

describe.each<[string, unknown, Violation[]]>([
  [
    'demo',
    DEMO_SAMPLE,
    [
      ['jobs.0.charged_micros', 1500],
      ['jobs.0.charged_micros', '15.5'],
      ['jobs.0.charged_micros', '-1'],
      ['jobs.0.charged_micros', '007'],
      ['jobs.0.released_micros', undefined],
      ['jobs.0.state', 'FAILED'],
      ['jobs.0.state', 'JOB_STATE_SUCCEEDED'],
      ['jobs.0.kind', 'video'],
      ['jobs.0.kind', 'render'],
      ['jobs.0.runs', []],
      ['jobs.0.runs.0.lease_token', 7],
      ['jobs.0.runs.0.run_number', 0],
      ['jobs.0.runs.0.state', 'RUNNING'],
      ['jobs.0.runs.0.start_time', '2026-11-25T01:00:00+01:00'],
      ['jobs.0.runs.0.start_time', '2026-13-25T01:00:00Z'],
      ['jobs.0.runs.0.end_time', null],
      ['jobs.0.runs.0.billable_ms', '1200'],
      ['jobs.0.runs.0.emulated', undefined],
      ['jobs.0.runs.0.price', '1'],
      ['jobs.0.other_lines', [{ what: 'storage', micros: 4 }]],
      ['jobs.0.artifacts.0.path', '/var/lib/weights.bin'],
      ['jobs.0.artifacts.0.path', '.daya/../../weights.bin'],
      ['jobs.0.artifacts.0.sha256', 'ABC'],
      ['ledger.accounts.0.posted', 12],
      ['ledger.accounts.0.held', '1'],
      ['ledger.accounts.0.asset', 'usd'],
      ['ledger.sum_by_asset.USD', '1'],
      ['ledger.sum_by_asset.USD', 0],
      ['invoices.0.total_micros', 1500],
      ['invoices.0.lines', []],
      ['epochs.0.root', '0x12'],
      ['epochs.0.manifest_path', '/epochs/manifest.json'],
      ['epochs.0.rewards.0.amount', 5],
      ['epochs', []],
      ['timings_ms.boot', '12'],
      ['timings_ms.stop', undefined],
    ],
  ],
  [
    'bench',
    BENCH_SAMPLE,
    [
      ['bench', 'gRPC bench'],
      ['rounds', 0],
      ['measures', []],
      ['measures.0.value', '41'],
      ['measures.0.better', 'faster'],
      ['measures.0.goal.op', '<'],
      ['measures.0.goal.on', 'median'],
      ['measures.0.met', null],
      ['measures.0.peer', null],
      ['measures.0.peer_value', null],
      ['measures.0.spread', undefined],
      ['measures.1.met', true],
      ['measures.1.ratio', 1],
      ['measures.1.goal', { on: 'ratio', op: '<=', number: 2 }],
    ],
  ],
  [
    'replay',
    REPLAY_SAMPLE,
    [
      ['dropped_though_feasible', 1],
      ['nodes_sha256', 'none'],
      ['allocated_percent_at_100', 101],
      ['allocated_percent_at_130', '97.1'],
      ['per_seed.0.seed', '0'],
      ['per_seed.0.at_130', undefined],
      ['seconds_per_run', 0],
    ],
  ],
])('contract %s', (name, sample, violations) => {
  const validate = contract(name);

  test('the valid sample passes', () => {
    validate(sample);
    expect(validate.errors).toBeNull();
  });

  test.each(violations)('refuses %s = %p', (place, value) => {
    expect(validate(planted(sample, [place, value]))).toBe(false);
    expect(validate.errors).not.toEqual([]);
  });
});

test('the bench contract takes the array of `all`', () => {
  const validate = contract('bench');
  expect(validate([BENCH_SAMPLE, BENCH_SAMPLE])).toBe(true);
  expect(validate([BENCH_SAMPLE, {}])).toBe(false);
});

test("the demo's collector writes what the contract says", () => {
  const run = {
    runNumber: 1,
    state: 'RUN_STATE_SUCCEEDED',
    leaseId: 'lease-1',
    nodeId: 'node-1',
    gpuModelId: 'rtx-4090',
    gpuMilli: 1000,
    leaseToken: '3',
    priceMicrosPerGpuHour: '390000',
    startTime: '2026-11-25T01:00:00.250Z',
    endTime: '2026-11-25T01:00:15Z',
  };
  const job = { jobId: 'job-1', state: 'JOB_STATE_SUCCEEDED', quoteMicros: '2000', tasks: [{ runs: [run] }] };
  const charge = { leaseId: 'lease-1', billableMs: '14750', chargeMicros: '1500' };
  const statement = { runs: [charge], chargedMicros: '1500', feeMicros: '150', providerMicros: '1350' };
  const made = fromScript(
    `import { jobResult, invoiceResult } from './deploy/local/demo/collect.mjs';
     const { jobs, invoice } = JSON.parse(process.argv.at(-1));
     process.stdout.write(JSON.stringify({ jobs: jobs.map(jobResult), invoice: invoiceResult(invoice) }));`,
    {
      jobs: ['ai', 'render'].map((kind) => ({ kind, job, statement, artifacts: DEMO_SAMPLE.jobs[0]?.artifacts })),
      invoice: {
        invoiceId: 'i-1',
        jobId: 'job-1',
        totalMicros: '1500',
        lines: [{ what: 'GPU', amountMicros: '1500' }],
      },
    },
  ) as { jobs: unknown[]; invoice: unknown };
  const validate = contract('demo');
  validate({ ...DEMO_SAMPLE, jobs: made.jobs, invoices: [made.invoice] });
  expect(validate.errors).toBeNull();
});

test('a bench result as the benches build it keeps the contract', () => {
  const made = fromScript(
    `import { measure, result } from './bench/harness/result.mjs';
     const input = JSON.parse(process.argv.at(-1));
     process.stdout.write(JSON.stringify(result({ bench: 'grpc', load: 'x', rounds: 3, measures: input.map(measure) })));`,
    [
      {
        id: 'cpu',
        rounds: [3, 1, 2],
        unit: 'µs',
        better: 'lower',
        peer: { name: 'raw', rounds: [1, 2, 2] },
        goal: { on: 'ratio', op: '<=', number: 1.5 },
      },
      { id: 'cold', rounds: [900], unit: 'µs', better: 'lower' },
      { id: 'late', rounds: [9], unit: 's', better: 'lower', goal: { on: 'value', op: '<=', number: 3 } },
    ],
  ) as { measures: { value: number; ratio: number; met: boolean }[] };
  const validate = contract('bench');
  validate(made);
  expect(validate.errors).toBeNull();
  expect(made.measures.map(({ value, ratio, met }) => [value, ratio, met])).toEqual([
    [2, 1, true],
    [900, null, null],
    [9, null, false],
  ]);
});
