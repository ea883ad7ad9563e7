import type { Charge, LeaseTerms } from './charge';
import type { Note } from './note';
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
  | { readonly type: 'invoice-issued'; readonly invoice: Invoice }
  /** `note-posted` tells those who follow charges what moved; `note-issued` those who follow invoices. */
  | {
      readonly type: 'note-posted' | 'note-issued';
      readonly note: Note;
      readonly lease: LeaseTerms;
      readonly postTime: Date;
    };
