import type { Control } from '../control';
import { BILLING } from './billing';
import { DISPATCH } from './dispatch';
import { METERING } from './metering';
import { OFFER } from './offer';
import { ORGANISATION } from './organisation';
import { PROVIDER } from './provider';
import { REWARDS } from './rewards';
import { SCHEDULER } from './scheduler';

/** A valid request of every RPC of the platform. */
export const CONTROLS: readonly Control[] = [
  ...ORGANISATION,
  ...PROVIDER,
  ...OFFER,
  ...SCHEDULER,
  ...DISPATCH,
  ...METERING,
  ...BILLING,
  ...REWARDS,
];
