import * as fc from 'fast-check';
import { LANE_COUNT, feeAccount, laneOf, payableOf, walletOf, worldAccount, type Account } from './account';
import { TRANSFER_KINDS, effectsOf, holdEffectOf, reversalOf, type Transfer } from './transfer';

const PAYER = '00000000-0000-7000-8000-000000000001';
const PAYEE = '00000000-0000-7000-8000-000000000002';
const wallet = walletOf(PAYER, 'USD');
const payable = payableOf(PAYEE, 'USD');

const aTransfer = (over: Partial<Transfer> = {}): Transfer => ({
  kind: 'single',
  cause: 'deposit:1',
  leg: 'whole',
  debit: worldAccount('bank', 'USD'),
  credit: wallet,
  amount: 5n,
  ...over,
});
const aPost = (amount: bigint): Transfer =>
  aTransfer({
    kind: 'post',
    cause: 'usage:1',
    leg: 'provider',
    debit: wallet,
    credit: payable,
    amount,
    holdJobId: 'job',
  });

const anAmount = fc.bigInt({ min: 1n, max: 2n ** 63n - 1n });

test('whatever the kind, a transfer creates and destroys no money', () => {
  fc.assert(
    fc.property(fc.constantFrom(...TRANSFER_KINDS), anAmount, fc.boolean(), (kind, amount, withHold) => {
      const neverHas = kind === 'single' || kind === 'credit_note' || kind === 'debit_note';
      const needsHold = !neverHas && (kind !== 'reversal' || withHold);
      const transfer = aTransfer({
        kind,
        amount,
        ...(needsHold ? { holdJobId: 'job' } : {}),
        ...(kind === 'reversal' ? { original: { kind: 'post', cause: 'usage:1', leg: 'fee' } } : {}),
      });
      expect(effectsOf(transfer).reduce((sum, effect) => sum + effect.posted, 0n)).toBe(0n);
      const held = effectsOf(transfer).reduce((sum, effect) => sum + effect.held, 0n);
      expect(held).toBe(holdEffectOf(transfer));
    }),
  );
});

test('a reversal into an open hold restores every account and the hold', () => {
  fc.assert(
    fc.property(anAmount, fc.boolean(), (amount, holdIsOpen) => {
      const post = aPost(amount);
      const reversal = reversalOf(post, holdIsOpen);
      const net = new Map<string, { posted: bigint; held: bigint }>();
      for (const { account, posted, held } of [...effectsOf(post), ...effectsOf(reversal)]) {
        const before = net.get(account.code) ?? { posted: 0n, held: 0n };
        net.set(account.code, { posted: before.posted + posted, held: before.held + held });
      }
      expect([...net.values()].every(({ posted }) => posted === 0n)).toBe(true);
      expect(net.get(wallet.code)?.held).toBe(holdIsOpen ? 0n : -amount);
      expect(holdEffectOf(post) + holdEffectOf(reversal)).toBe(holdIsOpen ? 0n : -amount);
      expect(reversal.original).toEqual({ kind: 'post', cause: 'usage:1', leg: 'provider' });
    }),
  );
});

test('an impossible transfer is a bug', () => {
  expect(() => effectsOf(aTransfer({ amount: 0n }))).toThrow('moves 1 to');
  expect(() => effectsOf(aTransfer({ amount: -1n }))).toThrow('moves 1 to');
  expect(() => effectsOf(aTransfer({ amount: 2n ** 63n }))).toThrow('moves 1 to');
  expect(() => effectsOf(aTransfer({ credit: walletOf(PAYER, 'CREDIT') }))).toThrow('one asset');
  expect(() => effectsOf(aTransfer({ credit: worldAccount('bank', 'USD') }))).toThrow('two accounts');
  expect(() => effectsOf(aTransfer({ kind: 'hold' }))).toThrow('names its hold');
  expect(() => effectsOf(aTransfer({ holdJobId: 'job' }))).toThrow('no hold');
  expect(() => effectsOf(aTransfer({ kind: 'reversal' }))).toThrow('names its original');
  expect(() => reversalOf(aTransfer(), true)).toThrow('only a post');
});

test('only accounts that everyone touches are spread over lanes', () => {
  const spread: Account[] = [feeAccount('USD'), worldAccount('bank', 'USD')];
  for (let hash = -40; hash < 40; hash += 1) {
    for (const account of spread) {
      expect(laneOf(account, hash)).toBeGreaterThanOrEqual(0);
      expect(laneOf(account, hash)).toBeLessThan(LANE_COUNT);
    }
    expect(laneOf(wallet, hash)).toBe(0);
    expect(laneOf(payable, hash)).toBe(0);
  }
});

test('an account of an unknown asset or rail is refused', () => {
  expect(() => walletOf(PAYER, 'WEI')).toThrow('unknown asset');
  expect(() => worldAccount('Bank of X', 'USD')).toThrow('a rail is');
});
