import type { Timestamp } from './gen/google/protobuf/timestamp';

const MS_PER_SECOND = 1_000;
const NANOS_PER_MS = 1_000_000;

/** Milliseconds are kept; a Date has nothing finer. */
export function toTimestamp(date: Date): Timestamp {
  const ms = date.getTime();
  const seconds = Math.floor(ms / MS_PER_SECOND);
  return { seconds: BigInt(seconds), nanos: (ms - seconds * MS_PER_SECOND) * NANOS_PER_MS };
}

/** Whole milliseconds, rounded down. Throws a RangeError when the instant is outside what a Date can hold. */
export function fromTimestamp(timestamp: Timestamp): Date {
  const date = new Date(Number(timestamp.seconds) * MS_PER_SECOND + Math.floor(timestamp.nanos / NANOS_PER_MS));
  if (Number.isNaN(date.getTime())) throw new RangeError('timestamp is outside the range of a Date');
  return date;
}
