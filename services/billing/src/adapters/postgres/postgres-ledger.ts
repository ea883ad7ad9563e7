import { DomainError } from '@daya/kernel';
import { write } from '@daya/postgres';
import type { EntityManager } from 'typeorm';
import type { Ledger, PostedTransfer } from '../../application/ports';
import { laneOf, type Account } from '../../domain/account';
import { effectsOf, type Transfer } from '../../domain/transfer';
import { holdIdOf, spreadOf, transferIdOf, txIdOf } from '../derive-id';
import { toPostedTransfer, type TransferRow } from './rows';

interface Movement {
  readonly accountId: string;
  readonly lane: number;
  readonly code: string;
  posted: bigint;
  held: bigint;
}

export const TRANSFER_COLUMNS = `t.id, t.position, d.code AS debit_code, c.code AS credit_code, t.asset, t.amount, t.kind, t.pending_id, t.cause, t.create_time`;
export const TRANSFER_JOINS = `ledger_transfer t
  JOIN ledger_account d ON d.id = t.debit_account_id JOIN ledger_account c ON c.id = t.credit_account_id`;

/** Ids of accounts, which never change, by database. */
const KNOWN_ACCOUNTS = new WeakMap<object, Map<string, string>>();
const KNOWN_ACCOUNTS_MAX = 50_000;

/** The only writer of accounts, transfers and balances. */
export class PostgresLedger implements Ledger {
  private hasNewAccounts = false;

  constructor(private readonly em: EntityManager) {}

  async post(transfers: readonly Transfer[]): Promise<void> {
    if (transfers.length === 0) return;
    const ids = await this.accountIds(transfers.flatMap(({ debit, credit }) => [debit, credit]));
    await this.insert(transfers, ids);
    await this.move(movementsOf(transfers, ids));
  }

  async available(account: Account, transfers: readonly Transfer[]): Promise<bigint> {
    const ids = await this.accountIds([account, ...transfers.flatMap(({ debit, credit }) => [debit, credit])]);
    const movements = movementsOf(transfers, ids);
    await this.lock(movements);
    const [row]: { available: string | null }[] = await this.em.query(
      `SELECT sum(posted - held) AS available FROM ledger_balance WHERE account_id = $1`,
      [idOf(ids, account)],
    );
    return BigInt(row?.available ?? 0);
  }

  async read(transfer: Transfer): Promise<PostedTransfer> {
    const [row]: TransferRow[] = await this.em.query(
      `SELECT ${TRANSFER_COLUMNS} FROM ${TRANSFER_JOINS} WHERE t.id = $1`,
      [transferIdOf(transfer)],
    );
    if (!row) throw new Error(`transfer ${transfer.kind} ${transfer.cause} is not stored`);
    return toPostedTransfer(row);
  }

  /** Accounts come into being with their first transfer. New ones are inserted in the order of their names: no deadlock. */
  private async accountIds(accounts: readonly Account[]): Promise<Map<string, string>> {
    const wanted = [...new Map(accounts.map((account) => [nameOf(account), account])).values()];
    wanted.sort((left, right) => (nameOf(left) < nameOf(right) ? -1 : 1));
    const known = knownAccounts(this.em.connection);
    // A copy: the shared map may be emptied while this transaction waits for the database.
    const ids = new Map(wanted.flatMap((account) => idIn(known, nameOf(account))));
    if (ids.size === wanted.length) return ids;
    const found = await this.findAccounts(wanted);
    const missing = wanted.filter((account) => !found.has(nameOf(account)));
    if (missing.length === 0) {
      // Those of this transaction are not remembered: it may be rolled back.
      if (!this.hasNewAccounts) for (const [name, id] of found) known.set(name, id);
      return found;
    }
    this.hasNewAccounts = true;
    await write(
      this.em,
      `INSERT INTO ledger_account (code, asset, kind, owner_id, floor)
       SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::uuid[], $5::bigint[]) ON CONFLICT (code, asset) DO NOTHING`,
      [
        missing.map((a) => a.code),
        missing.map((a) => a.asset),
        missing.map((a) => a.kind),
        missing.map((a) => a.ownerId ?? null),
        missing.map((a) => a.floor?.toString() ?? null),
      ],
    );
    return this.findAccounts(wanted);
  }

  private async findAccounts(accounts: readonly Account[]): Promise<Map<string, string>> {
    const rows: { id: string; code: string; asset: string }[] = await this.em.query(
      `SELECT a.id, a.code, a.asset FROM ledger_account a
       JOIN unnest($1::text[], $2::text[]) AS w (code, asset) ON a.code = w.code AND a.asset = w.asset`,
      [accounts.map((a) => a.code), accounts.map((a) => a.asset)],
    );
    return new Map(rows.map((row) => [nameOf(row), row.id]));
  }

  private async insert(transfers: readonly Transfer[], ids: ReadonlyMap<string, string>): Promise<void> {
    const column = <T>(of: (transfer: Transfer) => T): T[] => transfers.map(of);
    const rows = [
      column(transferIdOf),
      column(txIdOf),
      column((t) => t.kind),
      column((t) => t.cause),
      column((t) => t.leg),
      column((t) => idOf(ids, t.debit)),
      column((t) => idOf(ids, t.credit)),
      column((t) => t.debit.asset),
      column((t) => t.amount.toString()),
      column((t) => (t.holdJobId === undefined ? null : holdIdOf(t.holdJobId))),
      column((t) => (t.original === undefined ? null : transferIdOf(t.original))),
      column((t) => t.payerId ?? null),
      column((t) => t.payeeId ?? null),
    ];
    await write(
      this.em,
      `INSERT INTO ledger_transfer (id, tx_id, kind, cause, leg, debit_account_id, credit_account_id, asset, amount, pending_id, original_id, payer_id, payee_id)
         SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::bigint[], $8::text[], $9::bigint[],
           $10::uuid[], $11::uuid[], $12::uuid[], $13::uuid[])`,
      rows,
      {
        ledger_transfer_pkey: alreadyPosted,
        ledger_transfer_cause: alreadyPosted,
        ledger_transfer_original: alreadyPosted,
      },
    );
  }

  /** Locks every balance in one global order, then moves all of them in one statement whose WHERE is the floor test. */
  private async move(movements: readonly Movement[]): Promise<void> {
    // One balance alone cannot be locked in a wrong order.
    if (movements.length > 1) await this.lock(movements);
    const stuck = await this.update(movements);
    if (stuck.length === 0) return;
    await this.open(stuck);
    const [short] = await this.update(stuck);
    if (short === undefined) return;
    const message = 'the account does not have that much available';
    throw new DomainError('precondition', 'INSUFFICIENT_FUNDS', message, { account: short.code });
  }

  private async lock(movements: readonly Movement[]): Promise<void> {
    await write(
      this.em,
      `SELECT 1 FROM ledger_balance b JOIN unnest($1::bigint[], $2::smallint[]) AS k (account_id, lane) USING (account_id, lane)
       ORDER BY b.account_id, b.lane FOR UPDATE OF b`,
      keysOf(movements),
    );
  }

  /** Balances come into being with their first movement. */
  private async open(movements: readonly Movement[]): Promise<void> {
    await write(
      this.em,
      `INSERT INTO ledger_balance (account_id, lane, owner_id, floor)
       SELECT a.id, k.lane, a.owner_id, a.floor FROM unnest($1::bigint[], $2::smallint[]) AS k (account_id, lane)
       JOIN ledger_account a ON a.id = k.account_id ORDER BY a.id, k.lane ON CONFLICT DO NOTHING`,
      keysOf(movements),
    );
  }

  /** Returns what did not move: the balance is not there, or would fall below its floor. */
  private async update(movements: readonly Movement[]): Promise<Movement[]> {
    const [rows]: [{ account_id: string; lane: number }[], number] = await this.em.query(
      `UPDATE ledger_balance b SET posted = b.posted + m.posted, held = b.held + m.held, version = b.version + 1
       FROM unnest($1::bigint[], $2::smallint[], $3::bigint[], $4::bigint[]) AS m (account_id, lane, posted, held)
       WHERE b.account_id = m.account_id AND b.lane = m.lane
         AND (b.floor IS NULL OR b.posted + m.posted - b.held - m.held >= b.floor)
       RETURNING b.account_id, b.lane`,
      [...keysOf(movements), movements.map((m) => m.posted.toString()), movements.map((m) => m.held.toString())],
    );
    const moved = new Set(rows.map((row) => `${row.account_id}/${row.lane}`));
    return movements.filter(({ accountId, lane }) => !moved.has(`${accountId}/${lane}`));
  }
}

const keysOf = (movements: readonly Movement[]): unknown[][] => [
  movements.map((m) => m.accountId),
  movements.map((m) => m.lane),
];

function idIn(known: ReadonlyMap<string, string>, name: string): [string, string][] {
  const id = known.get(name);
  return id === undefined ? [] : [[name, id]];
}

function knownAccounts(database: object): Map<string, string> {
  const known = KNOWN_ACCOUNTS.get(database) ?? new Map<string, string>();
  if (known.size > KNOWN_ACCOUNTS_MAX) known.clear();
  KNOWN_ACCOUNTS.set(database, known);
  return known;
}

function movementsOf(transfers: readonly Transfer[], ids: ReadonlyMap<string, string>): Movement[] {
  const movements = new Map<string, Movement>();
  for (const transfer of transfers) {
    // All transfers of one job share a lane, so that a reversal finds the money where its original put it.
    const spread = spreadOf(transfer.jobId ?? transfer.cause);
    for (const { account, posted, held } of effectsOf(transfer)) {
      const lane = laneOf(account, spread);
      const key = `${idOf(ids, account)}/${lane}`;
      const sum = movements.get(key) ?? {
        accountId: idOf(ids, account),
        lane,
        code: account.code,
        posted: 0n,
        held: 0n,
      };
      movements.set(key, { ...sum, posted: sum.posted + posted, held: sum.held + held });
    }
  }
  return [...movements.values()];
}

const nameOf = ({ code, asset }: Pick<Account, 'code' | 'asset'>): string => `${asset} ${code}`;

function idOf(ids: ReadonlyMap<string, string>, account: Account): string {
  const id = ids.get(nameOf(account));
  if (id === undefined) throw new Error(`account ${account.code} of ${account.asset} has no row`);
  return id;
}

const alreadyPosted = (): DomainError => new DomainError('already-exists', 'TRANSFER_EXISTS', 'this was posted before');
