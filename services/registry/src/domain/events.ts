import type { Node } from './node';
import type { Offer } from './offer';
import type { Organisation } from './organisation';

/** What the registry tells the others; adapters/proto/events.ts turns each into its message. */
export type RegistryEvent =
  | { readonly type: 'organisation-changed'; readonly organisation: Organisation }
  | {
      readonly type: 'node-changed';
      readonly node: Node;
      readonly rewardAddress: string;
      /** mSCU (training) of one GPU of each model in the inventory. */
      readonly mscuByGpuModel: Readonly<Record<string, number>>;
    }
  | {
      readonly type: 'node-certified';
      readonly nodeId: string;
      readonly generation: number;
      readonly publicKey: string;
    }
  | { readonly type: 'node-revoked'; readonly nodeId: string; readonly reason: string }
  | { readonly type: 'offer-changed'; readonly offer: Offer };
