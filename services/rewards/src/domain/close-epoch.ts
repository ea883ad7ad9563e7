import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';
import { derivedAddress } from './address';
import { buildSnapshot, type BuiltSnapshot } from './build-snapshot';
import { canonicalFile, type JsonValue } from './canonical-json';
import { computeEpoch, resultJson, type EpochResult } from './compute-epoch';
import { concentrationOf, type Concentration } from './concentration';
import { cumulativeAccountsJson, cumulativeTree, type CumulativeAccounts } from './cumulative-root';
import { epochInputsJson, type EpochInputs } from './epoch-inputs';
import { epochStateJson, reserveFor, stateBefore, type EpochState } from './epoch-state';
import { epochStart, parametersJson, type Parameters } from './parameters';
import { receiptsJson, receiptsOf, type Receipts } from './receipts';
import { INSURANCE_ACCOUNT } from './snapshot';
import { snapshotJson } from './snapshot-json';
import { SECONDS_PER_DAY, addToBuckets, cumulativeVested, type Award } from './vesting';

/** Which formulas computed an epoch; grows with every change of what they answer. */
export const FORMULA_VERSION = '1';
/** The root of an asset of which nothing was ever awarded. */
export const EMPTY_ROOT = `0x${'00'.repeat(32)}`;

export interface ClosedEpoch {
  readonly result: EpochResult;
  readonly receipts: Receipts;
  readonly concentration: Concentration;
  readonly closing: EpochState;
  readonly awards: readonly Award[];
  /** Cumulative vested amounts at the epoch's end, per account and per address. */
  readonly vestedByAccount: ReadonlyMap<string, bigint>;
  readonly leaves: CumulativeAccounts;
  readonly root: string;
  /** Everything that is published beside the manifest, in the order in which the manifest lists it. */
  readonly files: readonly PublishedFile[];
  readonly manifest: PublishedFile;
}

export interface PublishedFile {
  readonly name: string;
  readonly text: string;
  readonly sha256: string;
  readonly rows: bigint;
}

/** The epoch before: its closing state and the hash of its manifest; undefined for the first epoch of a chain. */
export type Predecessor = { readonly state: EpochState; readonly manifestSha256: string } | undefined;

/** Computes all of an epoch from its frozen facts and the epoch before. Pure: the service and `verify` both call this. */
export function closeEpoch(parameters: Parameters, inputs: EpochInputs, predecessor: Predecessor): ClosedEpoch {
  const opening = predecessor?.state ?? stateBefore(inputs.epoch);
  const built = buildSnapshot(parameters, inputs, opening);
  const result = computeEpoch(built.snapshot);
  const receipts = receiptsOf(inputs, built.snapshot, result);
  const awards = awardsOf(result, inputs);
  const today = (epochStart(parameters, inputs.epoch + 1n) - 1n) / SECONDS_PER_DAY;
  const closing = closingState(opening, built, result, addToBuckets(opening.buckets, today, awards));
  const leaves = leavesOf(parameters, cumulativeVested(closing.buckets, today, 'address'));
  const root = leaves.accounts.length === 0 ? EMPTY_ROOT : cumulativeTree(leaves).root;
  const concentration = concentrationOf(
    result.accounts.filter((row) => row.account !== INSURANCE_ACCOUNT).map((row) => row.amount),
  );
  const files = [
    file('parameters.json', parametersJson(parameters), parameters.subsidies.length),
    ...(predecessor === undefined ? [] : [file('opening.json', epochStateJson(opening), opening.buckets.length)]),
    file('inputs.json', epochInputsJson(inputs), inputs.devices.length + inputs.charges.length),
    file('snapshot.json', snapshotJson(built.snapshot), built.snapshot.devices.length + built.snapshot.jobs.length),
    file('result.json', resultJson(result), result.accounts.length),
    file('receipts.json', receiptsJson(receipts), receipts.devices.length + receipts.jobs.length),
    file('state.json', epochStateJson(closing), closing.buckets.length),
    file('accounts.json', cumulativeAccountsJson(leaves), leaves.accounts.length),
  ];
  const manifest = manifestJson(
    parameters,
    inputs,
    result,
    concentration,
    files,
    root,
    leaves,
    predecessor?.manifestSha256 ?? null,
  );
  return {
    result,
    receipts,
    concentration,
    closing,
    awards,
    vestedByAccount: cumulativeVested(closing.buckets, today, 'account'),
    leaves,
    root,
    files,
    manifest: file('manifest.json', manifest, files.length),
  };
}

function awardsOf(result: EpochResult, { devices, charges }: EpochInputs): readonly Award[] {
  const declared = new Map(
    [...devices, ...charges]
      .filter((row) => row.declaredAddress !== '')
      .map((row) => [row.account, row.declaredAddress]),
  );
  return result.accounts.map((row) => ({ ...row, address: declared.get(row.account) ?? derivedAddress(row.account) }));
}

function closingState(
  opening: EpochState,
  built: BuiltSnapshot,
  result: EpochResult,
  buckets: EpochState['buckets'],
): EpochState {
  const { reserve, issuedBefore } = reserveFor(opening, result.epoch);
  return {
    epoch: result.epoch,
    reserveAtMonthStart: reserve,
    issuedInMonth: issuedBefore + result.issued,
    utilisation: built.utilisation,
    devices: built.devices,
    feeDebts: built.feeDebts,
    buckets,
  };
}

const leavesOf = ({ chainId, distributor }: Parameters, vested: ReadonlyMap<string, bigint>): CumulativeAccounts => ({
  chainId,
  distributor,
  accounts: [...vested].map(([account, cumulative]) => ({ account, cumulative })),
});

function file(name: string, json: JsonValue, rows: number): PublishedFile {
  const text = canonicalFile(json);
  return { name, text, rows: BigInt(rows), sha256: sha256Hex(text) };
}

export const sha256Hex = (text: string): string => bytesToHex(sha256(utf8ToBytes(text)));

function manifestJson(
  parameters: Parameters,
  inputs: EpochInputs,
  result: EpochResult,
  concentration: Concentration,
  files: readonly PublishedFile[],
  root: string,
  leaves: CumulativeAccounts,
  previous: string | null,
): JsonValue {
  return {
    version: '1',
    formula_version: FORMULA_VERSION,
    epoch: inputs.epoch,
    asset: inputs.asset,
    start_time: epochStart(parameters, inputs.epoch),
    end_time: epochStart(parameters, inputs.epoch + 1n),
    parameters: parametersJson(parameters),
    files: files.map(({ name, sha256: digest, rows }) => ({ file: name, sha256: digest, rows })),
    pools: { ...result.pools },
    unissued: { ...result.unissued },
    totals: {
      ceiling: result.ceiling,
      emission: result.available,
      awarded: result.issued,
      unissued: result.available - result.issued,
      cumulative_vested: leaves.accounts.reduce((sum, row) => sum + row.cumulative, 0n),
    },
    concentration: {
      top_owner_share_bps: concentration.topOwnerBps,
      hhi: concentration.hhi,
      owners: concentration.owners,
    },
    root,
    leaves: BigInt(leaves.accounts.length),
    previous_manifest_sha256: previous,
  };
}
