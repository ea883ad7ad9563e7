import { refuseInvalid, type FoundViolation } from '@daya/kernel';
import { isAddress } from './address';
import { byUtf8, type JsonValue } from './canonical-json';
import { MerkleTree, cumulativeLeaf } from './merkle-tree';
import { StrictObject, noteDuplicates } from './strict-object';

/** What the cumulative root commits to: on this chain, by this contract, each address may have claimed up to `cumulative`. */
export interface CumulativeAccounts {
  readonly chainId: bigint;
  readonly distributor: string;
  readonly accounts: readonly { readonly account: string; readonly cumulative: bigint }[];
}

/** Reads a parsed accounts file. Refuses with `invalid` INVALID_FIELDS that names every violated row and field. */
export function parseCumulativeAccounts(json: unknown): CumulativeAccounts {
  const problems: FoundViolation[] = [];
  const top = new StrictObject(json, '', ['chain_id', 'distributor', 'accounts'], problems);
  const parsed: CumulativeAccounts = {
    chainId: top.decimal('chain_id'),
    distributor: readAddress(top, 'distributor'),
    accounts: top.rows('accounts', ['account', 'cumulative'], (row) => ({
      account: readAddress(row, 'account'),
      cumulative: row.decimal('cumulative'),
    })),
  };
  if (parsed.accounts.length === 0 && problems.length === 0)
    top.problem('accounts', 'REQUIRED', 'must hold at least one row');
  const addresses = parsed.accounts.map((row) => row.account).filter((address) => address !== '');
  if (addresses.length === parsed.accounts.length) noteDuplicates(addresses, 'accounts', 'account', problems);
  refuseInvalid(problems);
  return parsed;
}

function readAddress(row: StrictObject, name: string): string {
  const address = row.text(name);
  if (address !== '' && !isAddress(address)) {
    row.problem(name, 'MALFORMED', 'must be 0x and 40 hexadecimal digits');
    return '';
  }
  return address.toLowerCase();
}

/** OpenZeppelin's StandardMerkleTree over (chain id, distributor, account, cumulative). Throws on an empty list. */
export function cumulativeTree({ chainId, distributor, accounts }: CumulativeAccounts): MerkleTree {
  return new MerkleTree(
    accounts.map(({ account, cumulative }) => cumulativeLeaf(chainId, distributor, account, cumulative)),
  );
}

/** The published form, sorted by address: the input of `rewards root` and of the independent script. */
export function cumulativeAccountsJson({ chainId, distributor, accounts }: CumulativeAccounts): JsonValue {
  const sorted = [...accounts].sort((a, b) => byUtf8(a.account, b.account));
  return { chain_id: chainId, distributor, accounts: sorted.map((row) => ({ ...row })) };
}
