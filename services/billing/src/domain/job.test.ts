import * as fc from 'fast-check';
import { HOLD_STATES, NEXT_HOLD_STATES, closeHold, neverPlaced, placement, type Hold } from './hold';
import { priceQuote, type QuoteTask } from './quote';
import { newInvoice, totalOf, type RunCharge } from './statement';

const PAYER = '00000000-0000-7000-8000-000000000001';
const NOW = new Date('2026-01-01T00:00:00Z');
const aHold = (over: Partial<Hold> = {}): Hold => ({
  jobId: 'job',
  payerId: PAYER,
  asset: 'USD',
  amount: 100n,
  remaining: 100n,
  feeBps: 500n,
  state: 'open',
  createTime: NOW,
  ...over,
});

test('a hold moves only as its table says, and frees exactly what is left', () => {
  for (const state of HOLD_STATES) {
    for (const to of ['released', 'expired'] as const) {
      const move = () => closeHold(aHold({ state, remaining: 40n }), to, NOW);
      if (NEXT_HOLD_STATES[state].includes(to)) {
        expect(move()).toMatchObject({
          hold: { state: to, remaining: 0n, closeTime: NOW },
          transfers: [{ kind: to === 'released' ? 'release' : 'expire', amount: 40n, holdJobId: 'job' }],
        });
      } else expect(move).toThrow('cannot become');
    }
  }
});

test('a hold ends once, and gives back all of what nothing was drawn from', () => {
  const { hold, transfers } = closeHold(aHold(), 'released', NOW);
  expect(transfers).toMatchObject([{ kind: 'release', amount: 100n }]);
  for (const to of ['released', 'expired'] as const) expect(() => closeHold(hold, to, NOW)).toThrow('cannot become');
  const expired = closeHold(aHold(), 'expired', NOW);
  expect(expired.transfers).toMatchObject([{ kind: 'expire', amount: 100n }]);
  for (const to of ['released', 'expired'] as const)
    expect(() => closeHold(expired.hold, to, NOW)).toThrow('cannot become');
});

test('a hold that is used up is released without a row, and one never placed moves nothing', () => {
  expect(closeHold(aHold({ remaining: 0n }), 'released', NOW).transfers).toEqual([]);
  expect(neverPlaced('job', PAYER, 'USD', NOW)).toMatchObject({ amount: 0n, state: 'released' });
  expect(placement(aHold())).toMatchObject([{ kind: 'hold', cause: 'job:job', amount: 100n }]);
  expect(placement(aHold({ amount: 0n, remaining: 0n }))).toEqual([]);
});

const aTask = fc.record({
  taskCount: fc.integer({ min: 1, max: 1_000 }),
  gpuMilli: fc.integer({ min: 1, max: 8_000 }),
  priceMicrosPerGpuHour: fc.bigInt({ min: 0n, max: 100_000_000n }),
  maxRunSeconds: fc.integer({ min: 1, max: 86_400 }),
});
const POLICY = { feeBps: 500, version: '2026-01' };

test('a quote is the sum of its lines, each the most that its tasks can cost', () => {
  fc.assert(
    fc.property(fc.array(aTask, { minLength: 1, maxLength: 8 }), (tasks: QuoteTask[]) => {
      const quote = priceQuote('q', tasks, POLICY);
      expect(quote.lines.reduce((sum, line) => sum + line.amountMicros, 0n)).toBe(quote.totalMicros);
      const exact = tasks.map(
        (task) => (task.priceMicrosPerGpuHour * BigInt(task.gpuMilli) * BigInt(task.maxRunSeconds)) / 3_600_000n,
      );
      expect(quote.lines.map((line) => line.amountMicros)).toEqual(
        exact.map((micros, index) => micros * BigInt(tasks[index]!.taskCount)),
      );
    }),
  );
});

test('a quote beyond 64 bits is refused', () => {
  const task = { taskCount: 1_000_000, gpuMilli: 8_000, priceMicrosPerGpuHour: 2n ** 50n, maxRunSeconds: 86_400 };
  expect(() => priceQuote('q', [task], POLICY)).toThrow('64 bits');
});

const aRun = fc.record({
  leaseId: fc.uuid(),
  taskIndex: fc.nat(20),
  runNumber: fc.integer({ min: 1, max: 5 }),
  nodeId: fc.uuid(),
  gpuModelId: fc.constant('rtx-4090'),
  gpuMilli: fc.constant(1_000),
  priceMicrosPerGpuHour: fc.constant(1n),
  billableMs: fc.constant(1n),
  charge: fc.bigInt({ min: 0n, max: 10n ** 12n }),
  fee: fc.constant(0n),
  provider: fc.constant(0n),
  waivedReason: fc.constant(''),
});

test('an invoice has one line a run in a stable order, and its total is the exact sum', () => {
  fc.assert(
    fc.property(fc.uniqueArray(aRun, { selector: (run) => run.leaseId, maxLength: 30 }), (runs: RunCharge[]) => {
      const head = { invoiceId: 'i', jobId: 'job', payerId: PAYER };
      const invoice = newInvoice(head, runs, NOW);
      expect(invoice.totalMicros).toBe(totalOf(runs).charge);
      expect(invoice.lines).toHaveLength(runs.length);
      expect(newInvoice(head, runs.toReversed(), NOW)).toEqual(invoice);
      const waived = { ...fc.sample(aRun, 1)[0]!, charge: 0n, waivedReason: 'PROVIDER' };
      expect(newInvoice(head, [...runs, waived], NOW)).toEqual(invoice);
    }),
    { numRuns: 30 },
  );
});
