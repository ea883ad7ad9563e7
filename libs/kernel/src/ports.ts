/** Wall-clock time; tests and simulators pass their own. */
export abstract class Clock {
  abstract now(): Date;
}

/** Fresh UUIDs, time-ordered (version 7), so that new rows land at the end of an index. */
export abstract class IdGenerator {
  abstract next(): string;
}
