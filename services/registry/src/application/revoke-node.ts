import { scopeOf, type Caller, type Clock } from '@daya/kernel';
import { Fields } from '../domain/fields';
import { revoke, type Node } from '../domain/node';
import { found, requestScope } from './caller';
import type { Store, Transaction } from './ports';
import { saveAndTell, updateOffers } from './tell-node';

export interface RevokeNodeCommand {
  readonly requestId: string;
  readonly nodeId: string;
  readonly reason: string;
}

const REASON_LENGTH_MAX = 200;

/** Revokes a node for good: its certificates, its offers, its GPU bindings. Twice is once. Idempotent by request id. */
export class RevokeNode {
  constructor(
    private readonly store: Store,
    private readonly clock: Clock,
  ) {}

  execute(caller: Caller, { requestId, nodeId, reason }: RevokeNodeCommand): Promise<Node> {
    const fields = new Fields();
    fields.requestId(requestId);
    fields.uuid('node_id', nodeId);
    fields.text('reason', reason, REASON_LENGTH_MAX);
    fields.refuse();
    return this.store.transaction(scopeOf(caller), (tx) =>
      tx.requests.once(
        { scope: requestScope(caller), method: 'RevokeNode', requestId, content: [nodeId, reason] },
        async () => {
          const node = found(await tx.fleet.lockNode(nodeId), 'node', nodeId);
          const revoked = revoke(node, reason, this.clock.now());
          if (revoked !== node) await withdraw(tx, revoked);
          return revoked;
        },
      ),
    );
  }
}

/** Takes a node that was just revoked out of the market and tells it. */
export async function withdraw(tx: Transaction, revoked: Node): Promise<void> {
  await tx.fleet.bindGpus(revoked.nodeId, []);
  await saveAndTell(tx, revoked);
  await tx.events.append({ type: 'node-revoked', nodeId: revoked.nodeId, reason: revoked.revokeReason });
  await updateOffers(tx, revoked);
}
