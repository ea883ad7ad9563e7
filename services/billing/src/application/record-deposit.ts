import { refuseInvalid, type FoundViolation, type Money } from '@daya/kernel';
import { walletOf, worldAccount } from '../domain/account';
import type { Transfer } from '../domain/transfer';
import type { PostedTransfer, Store } from './ports';

/** A thousand million dollars: far above any bank transfer, far below what 64 bits hold. */
export const DEPOSIT_MICROS_MAX = 1_000_000_000_000_000n;
const BANK_ASSET = 'USD';

export interface RecordDepositCommand {
  /** The operator's organisation. */
  readonly operatorId: string;
  readonly requestId: string;
  readonly organisationId: string;
  readonly amount: Money;
  readonly bankReference: string;
}

/**
 * Credits a wallet with a bank transfer that the operator has seen arrive. A bank reference counts once: a second deposit for
 * it is refused with `already-exists` TRANSFER_EXISTS, whatever its request id.
 */
export class RecordDeposit {
  constructor(private readonly store: Store) {}

  async execute(command: RecordDepositCommand): Promise<PostedTransfer> {
    const { operatorId, requestId, organisationId, amount, bankReference } = command;
    refuseInvalid(amountViolations(amount));
    const content = [organisationId, amount.asset, amount.amount, bankReference];
    const key = { scope: operatorId, method: 'RecordDeposit', requestId, content };
    const deposit: Transfer = {
      kind: 'single',
      cause: `deposit:${bankReference}`,
      leg: 'whole',
      debit: worldAccount('bank', amount.asset),
      credit: walletOf(organisationId, amount.asset),
      amount: amount.amount,
      payeeId: organisationId,
    };
    return this.store.transaction('system', (tx) =>
      tx.requests.once(key, async () => {
        await tx.ledger.post([deposit]);
        return tx.ledger.read(deposit);
      }),
    );
  }
}

/** What a bank transfer may be; empty when it is one. */
export function amountViolations({ asset, amount }: Money): FoundViolation[] {
  const violations: FoundViolation[] = [];
  if (asset !== BANK_ASSET)
    violations.push({ field: 'amount.asset', reason: 'NOT_SUPPORTED', description: `a bank moves ${BANK_ASSET}` });
  if (amount < 1n || amount > DEPOSIT_MICROS_MAX) {
    violations.push({
      field: 'amount.amount',
      reason: 'OUT_OF_RANGE',
      description: `must be 1 to ${DEPOSIT_MICROS_MAX}`,
    });
  }
  return violations;
}
