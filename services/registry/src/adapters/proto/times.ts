import { fromTimestamp } from '@daya/proto';
import type { Timestamp } from '@daya/proto/google';

const SECONDS_MIN = -62_135_596_800n;
const SECONDS_MAX = 253_402_300_799n;
const NANOS_MAX = 999_999_999;

/** The time, undefined when unset, or an invalid Date for one outside the years 1 to 9999: validation names its field. */
export function fromProtoTime(time: Timestamp | undefined): Date | undefined {
  if (time === undefined) return undefined;
  const { seconds, nanos } = time;
  const holds = seconds >= SECONDS_MIN && seconds <= SECONDS_MAX && nanos >= 0 && nanos <= NANOS_MAX;
  return holds ? fromTimestamp(time) : new Date(NaN);
}
