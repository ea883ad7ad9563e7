// Money: exact, never twice, never more back than was taken.
const rate = [{ project: 'billing', files: 'domain/rate' }];
const ledger = [{ project: 'billing', files: 'domain/ledger' }];
const job = [{ project: 'billing', files: 'domain/job' }];
const settlement = [{ project: 'billing', files: 'domain/(job|settlement)' }];

const RATE = 'services/billing/src/domain/rate.ts';
const CHARGE = `(priceMicrosPerGpuHour * BigInt(gpuMilli) * billableMs) / MILLI_GPU_MS_PER_GPU_HOUR;`;

export const BILLING = [
  {
    id: 'ceil-per-segment',
    promise: 'no way of cutting the time into windows changes the total',
    file: RATE,
    old: `  return minus(splitAt(rate, toMs), splitAt(rate, fromMs));\n`,
    new: `  const exact = rate.priceMicrosPerGpuHour * BigInt(rate.gpuMilli) * (toMs - fromMs);
  const charge = (exact + MILLI_GPU_MS_PER_GPU_HOUR - 1n) / MILLI_GPU_MS_PER_GPU_HOUR;
  const fee = feeMicros(charge, rate.feeBps);
  return { charge, fee, provider: charge - fee };\n`,
    tests: rate,
  },
  {
    id: 'float-price',
    promise: 'money is counted in integers',
    file: RATE,
    old: CHARGE,
    new: `BigInt(Math.floor((Number(priceMicrosPerGpuHour) * gpuMilli * Number(billableMs)) / 3.6e9));`,
    tests: rate,
  },
  {
    id: 'both-legs-floored',
    promise: 'charge = fee + provider, to the last micro',
    file: RATE,
    old: `  return { charge, fee, provider: charge - fee };\n}`,
    new: `  return { charge, fee, provider: (charge * (BASIS_POINTS - rate.feeBps)) / BASIS_POINTS };\n}`,
    tests: rate,
  },
  {
    id: 'fee-rounds-half-up',
    promise: 'the fee rounds down, the provider keeps the remainder',
    file: RATE,
    old: `  (cumulativeCharge * feeBps) / BASIS_POINTS;`,
    new: `  (cumulativeCharge * feeBps + BASIS_POINTS / 2n) / BASIS_POINTS;`,
    tests: rate,
  },
  {
    id: 'hold-not-released',
    promise: 'what is left of a hold goes back when its job ends',
    file: 'services/billing/src/domain/settlement.ts',
    old: `  if (settles) ledger.release(now);\n`,
    new: ``,
    tests: settlement,
  },
  {
    id: 'hold-not-released-on-cancel',
    promise: 'a hold whose job never runs goes back whole',
    file: 'services/billing/src/domain/hold.ts',
    old: `    hold.remaining === 0n ? [] : [{ kind, leg: 'whole', amount: hold.remaining, ...common(hold) }];`,
    new: `    hold.remaining === hold.amount ? [] : [{ kind, leg: 'whole', amount: hold.remaining, ...common(hold) }];`,
    tests: job,
  },
  {
    id: 'hold-released-twice',
    promise: 'a hold ends once',
    file: 'services/billing/src/domain/hold.ts',
    old: `  released: [],\n`,
    new: `  released: ['released'],\n`,
    tests: job,
  },
  {
    id: 'settled-on-unknown-outcome',
    promise: 'a job is not settled while usage of a started lease is still to come',
    file: 'services/billing/src/domain/settlement.ts',
    old: `lease.ended && (isWaived(lease) || lease.finalUsageIn));`,
    new: `lease.ended);`,
    tests: settlement,
  },
  {
    id: 'refund-above-original',
    promise: 'a reversal gives back what was taken, not more',
    file: 'services/billing/src/domain/transfer.ts',
    old: `    ...rest,\n    kind: 'reversal',`,
    new: `    ...rest,\n    amount: rest.amount + 1n,\n    kind: 'reversal',`,
    tests: [...ledger, ...settlement],
  },
  {
    id: 'reversal-of-reversal',
    promise: 'only what was paid can be taken back',
    file: 'services/billing/src/domain/transfer.ts',
    old: `  if (original.kind !== 'post') throw new Error(\`only a post is reversed, not \${original.kind}\`);\n`,
    new: ``,
    tests: ledger,
  },
];
