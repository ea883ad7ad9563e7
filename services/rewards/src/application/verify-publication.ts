import { verifyEpoch, type EpochFiles } from '../domain/verify-epoch';

/** One epoch as it lies in a publication, with the epoch before when that is there. */
export interface PublishedEpoch {
  /** How a person finds it: its folder. */
  readonly place: string;
  readonly files: EpochFiles;
  readonly previous: EpochFiles | undefined;
}

export interface PublicationVerdict {
  readonly verified: number;
  /** The first difference, with the epoch's place; undefined means that all of it was recomputed. */
  readonly difference: string | undefined;
}

/** Verifies epochs in the given order, which is the order of each asset's chain, and stops at the first difference. */
export async function verifyPublication(epochs: AsyncIterable<PublishedEpoch>): Promise<PublicationVerdict> {
  let verified = 0;
  for await (const { place, files, previous } of epochs) {
    const { difference } = verifyEpoch(files, previous);
    if (difference !== undefined) return { verified, difference: `${place}/${difference}` };
    verified++;
  }
  return { verified, difference: undefined };
}
