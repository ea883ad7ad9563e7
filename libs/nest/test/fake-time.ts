import { Clock } from '@daya/kernel';

export class FakeTime extends Clock {
  ms = 1_700_000_000_000;

  now(): Date {
    return new Date(this.ms);
  }
}
