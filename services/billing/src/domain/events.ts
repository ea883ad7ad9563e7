import type { Charge, LeaseTerms } from './charge';
import type { Hold } from './hold';
import type { Invoice } from './statement';

/** What billing tells the others; every event belongs to one job. */
export type BillingEvent =
  | { readonly type: 'hold-placed'; readonly hold: Hold }
  /** `taken-back` repeats an earlier charge with the opposite sign. */
  | {
      readonly type: 'charge-posted' | 'charge-taken-back';
      readonly charge: Charge;
      readonly lease: LeaseTerms;
      readonly postTime: Date;
    }
  | { readonly type: 'hold-released'; readonly hold: Hold; readonly releasedMicros: bigint }
  | { readonly type: 'invoice-issued'; readonly invoice: Invoice };
