import { scopeOf, type Caller } from '@daya/kernel';
import { Fields } from '../domain/fields';
import { assertNotRevoked, OWNER_REASONS, type Node, type OwnerReason } from '../domain/node';
import { changed, masked } from '../domain/organisation';
import { found, requestScope } from './caller';
import type { Store } from './ports';
import { saveAndTell, updateOffers } from './tell-node';

export interface UpdateNodeCommand {
  readonly requestId: string;
  readonly nodeId: string;
  readonly displayName: string;
  readonly region: string;
  /** Undefined: a reason that is not the owner's to give. */
  readonly ownerReason: OwnerReason | undefined;
  readonly paths: readonly string[];
}

const NAMES = {
  display_name: 'displayName',
  region: 'region',
  unschedulable_reason: 'ownerReason',
} as const satisfies Record<string, keyof Node>;

/** Changes what the mask names; open offers follow the region. Running leases go on. Idempotent by request id. */
export class UpdateNode {
  constructor(private readonly store: Store) {}

  execute(caller: Caller, command: UpdateNodeCommand): Promise<Node> {
    check(command);
    const { requestId, nodeId, displayName, region, ownerReason = 'none', paths } = command;
    const content = [nodeId, displayName, region, ownerReason, [...paths].sort()];
    return this.store.transaction(scopeOf(caller), (tx) =>
      tx.requests.once({ scope: requestScope(caller), method: 'UpdateNode', requestId, content }, async () => {
        const node = found(await tx.fleet.lockNode(nodeId), 'node', nodeId);
        assertNotRevoked(node);
        const next = changed(node, masked<Node>({ ...node, displayName, region, ownerReason }, paths, NAMES));
        await saveAndTell(tx, next);
        await updateOffers(tx, next);
        return next;
      }),
    );
  }
}

function check({ requestId, nodeId, displayName, region, ownerReason, paths }: UpdateNodeCommand): void {
  const fields = new Fields();
  fields.requestId(requestId);
  fields.uuid('node.node_id', nodeId);
  fields.mask(paths, Object.keys(NAMES));
  if (paths.includes('display_name')) fields.displayName('node.display_name', displayName);
  if (paths.includes('region')) fields.slug('node.region', region);
  if (paths.includes('unschedulable_reason')) fields.known('node.unschedulable_reason', ownerReason, OWNER_REASONS);
  fields.refuse();
}
