import { DomainError } from '@daya/kernel';
import { InputFileError, readJsonFile } from '../files/input-file';
import { publishedEpochs } from '../files/published-folder';
import { verifyPublication } from '../../application/verify-publication';
import { canonicalFile } from '../../domain/canonical-json';
import { computeEpoch, resultJson } from '../../domain/compute-epoch';
import { cumulativeTree, parseCumulativeAccounts } from '../../domain/cumulative-root';
import { cumulativeLeaf } from '../../domain/merkle-tree';
import { parseSnapshot } from '../../domain/parse-snapshot';

/** What a command leaves behind. Exit code 1: a difference was found; 2: the input or the command line is refused. */
export interface Outcome {
  readonly exitCode: 0 | 1 | 2;
  readonly stdout: string;
  readonly stderr: string;
}

const USAGE = `usage:
  rewards compute <snapshot.json>             what the epoch pays, as JSON
  rewards root <accounts.json> [--proofs]     the cumulative Merkle root, as JSON
  rewards verify <folder or manifest.json>    recompute what was published: PASS, or the first difference
`;

const COMMANDS: Readonly<Record<string, (path: string, withProofs: boolean) => Promise<Outcome>>> = {
  compute,
  root,
  verify,
};

/** Runs one command line. Never throws for a bad input; nothing reaches stdout when the input is refused. */
export async function runCommand(args: readonly string[]): Promise<Outcome> {
  const [name = '', path, flag, ...rest] = args;
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  const knownFlag = flag === undefined || (name === 'root' && flag === '--proofs');
  if (command === undefined || path === undefined || !knownFlag || rest.length > 0) return refusal(USAGE);
  try {
    return await command(path, flag !== undefined);
  } catch (error) {
    if (error instanceof InputFileError) return refusal(`${error.message}\n`);
    if (error instanceof DomainError) return refusal(violationLines(path, error));
    throw error;
  }
}

const refusal = (stderr: string): Outcome => ({ exitCode: 2, stdout: '', stderr });
const answer = (stdout: string): Outcome => ({ exitCode: 0, stdout, stderr: '' });

const violationLines = (path: string, error: DomainError): string =>
  error.violations.map(({ field, description, reason }) => `${path}: ${field} ${description} (${reason})\n`).join('');

async function compute(path: string): Promise<Outcome> {
  return answer(canonicalFile(resultJson(computeEpoch(parseSnapshot(await readJsonFile(path))))));
}

async function root(path: string, withProofs: boolean): Promise<Outcome> {
  const accounts = parseCumulativeAccounts(await readJsonFile(path));
  const tree = cumulativeTree(accounts);
  const summary = { root: tree.root, leaves: BigInt(accounts.accounts.length) };
  if (!withProofs) return answer(canonicalFile(summary));
  const proofs = accounts.accounts.map(({ account, cumulative }) => ({
    account,
    cumulative,
    proof: tree.proof(cumulativeLeaf(accounts.chainId, accounts.distributor, account, cumulative)),
  }));
  return answer(canonicalFile({ ...summary, proofs }));
}

async function verify(path: string): Promise<Outcome> {
  const { verified, difference } = await verifyPublication(publishedEpochs(path));
  if (difference === undefined) return answer(`PASS ${verified} ${verified === 1 ? 'epoch' : 'epochs'} recomputed\n`);
  return { exitCode: 1, stdout: `FAIL ${difference}\n`, stderr: '' };
}
