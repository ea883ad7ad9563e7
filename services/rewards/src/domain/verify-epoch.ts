import { DomainError } from '@daya/kernel';
import { closeEpoch, sha256Hex, type ClosedEpoch, type Predecessor } from './close-epoch';
import { parseEpochInputs } from './epoch-inputs';
import { parseEpochState } from './epoch-state';
import { firstDifference } from './json-difference';
import { parseParameters } from './parameters';

/** The texts of one epoch's published files by name, `manifest.json` included. */
export type EpochFiles = ReadonlyMap<string, string>;

/** `closed` when everything is as recomputed, else the first difference. */
export type Verdict =
  | { readonly closed: ClosedEpoch; readonly difference?: never }
  | { readonly closed?: never; readonly difference: string };

/**
 * Recomputes all of an epoch from its published facts and compares every file byte for byte. With `previous`, the files
 * of the epoch before, also the chain: its manifest is the one that is named, and its closing state opened this epoch.
 */
export function verifyEpoch(files: EpochFiles, previous: EpochFiles | undefined): Verdict {
  try {
    const named = namedPrevious(files);
    const closed = recompute(files, named);
    compareFiles(files, closed);
    if (previous !== undefined) compareChain(files, named, previous);
    return { closed };
  } catch (error) {
    if (error instanceof Difference) return { difference: error.message };
    throw error;
  }
}

class Difference extends Error {}

function namedPrevious(files: EpochFiles): string | null {
  const manifest = parseJson(files, 'manifest.json') as { readonly previous_manifest_sha256?: unknown } | null;
  const previous = manifest?.previous_manifest_sha256;
  if (previous === null || typeof previous === 'string') return previous;
  throw new Difference('manifest.json: previous_manifest_sha256 must be a hash or null');
}

function recompute(files: EpochFiles, named: string | null): ClosedEpoch {
  const parameters = read(files, 'parameters.json', parseParameters);
  const inputs = read(files, 'inputs.json', parseEpochInputs);
  const predecessor: Predecessor =
    named === null ? undefined : { state: read(files, 'opening.json', parseEpochState), manifestSha256: named };
  if (predecessor !== undefined && predecessor.state.epoch + 1n !== inputs.epoch) {
    throw new Difference(
      `opening.json: is of epoch ${predecessor.state.epoch}, but inputs.json of epoch ${inputs.epoch}`,
    );
  }
  try {
    return closeEpoch(parameters, inputs, predecessor);
  } catch (error) {
    // Facts that no service would freeze, such as an award in the future.
    throw new Difference(`the epoch cannot be recomputed: ${String(error)}`);
  }
}

function compareFiles(files: EpochFiles, closed: ClosedEpoch): void {
  const expected = [...closed.files, closed.manifest];
  for (const { name, text } of expected) {
    const found = textOf(files, name);
    if (found !== text) throw new Difference(`${name}: ${firstDifference(found, text)}`);
  }
  const known = new Set(expected.map(({ name }) => name));
  const extra = [...files.keys()].find((name) => !known.has(name));
  if (extra !== undefined) throw new Difference(`${extra}: is not part of the epoch`);
}

function compareChain(files: EpochFiles, named: string | null, previous: EpochFiles): void {
  const hash = sha256Hex(textOf(previous, 'manifest.json'));
  if (named !== hash)
    throw new Difference(
      `manifest.json: previous_manifest_sha256 is ${named ?? 'null'}, but the manifest before hashes to ${hash}`,
    );
  const [opening, closing] = [textOf(files, 'opening.json'), textOf(previous, 'state.json')];
  if (opening !== closing)
    throw new Difference(`opening.json: ${firstDifference(opening, closing)}; the epoch before closed with that`);
}

function read<T>(files: EpochFiles, name: string, parse: (json: unknown) => T): T {
  const json = parseJson(files, name);
  try {
    return parse(json);
  } catch (error) {
    if (!(error instanceof DomainError)) throw error;
    const [first] = error.violations;
    throw new Difference(`${name}: ${first?.field ?? ''} ${first?.description ?? error.message}`);
  }
}

function parseJson(files: EpochFiles, name: string): unknown {
  const text = textOf(files, name);
  try {
    return JSON.parse(text);
  } catch {
    throw new Difference(`${name}: is not JSON`);
  }
}

function textOf(files: EpochFiles, name: string): string {
  const text = files.get(name);
  if (text === undefined) throw new Difference(`${name}: is missing`);
  return text;
}
