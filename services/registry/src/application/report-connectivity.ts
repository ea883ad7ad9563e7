import { DomainError, type Caller } from '@daya/kernel';
import { Fields } from '../domain/fields';
import { CONNECTIVITIES, hearOf, type Connectivity } from '../domain/node';
import { requestScope } from './caller';
import type { Store } from './ports';
import { saveAndTell } from './tell-node';

export interface HeardOf {
  readonly nodeId: string;
  readonly connectivity: Connectivity | undefined;
  /** An invalid Date stands for a malformed time. */
  readonly since: Date | undefined;
}

export const REPORT_NODES_MAX = 100;

/**
 * Stores what the scheduler knows of nodes' connectivity. Unknown nodes and older news are ignored. Idempotent. Nothing is
 * stored once `signal` says that the caller has given up: the repetition would only wait behind it (`unavailable`
 * CALLER_GONE).
 */
export class ReportConnectivity {
  constructor(private readonly store: Store) {}

  async execute(caller: Caller, requestId: string, nodes: readonly HeardOf[], signal: AbortSignal): Promise<void> {
    check(requestId, nodes);
    const news = new Map(nodes.map((node) => [node.nodeId, node]));
    const content = nodes.map(({ nodeId, connectivity, since }) => [nodeId, connectivity, since]);
    await this.store.transaction('system', (tx) =>
      tx.requests.once({ scope: requestScope(caller), method: 'ReportConnectivity', requestId, content }, async () => {
        const known = await tx.fleet.lockNodes([...news.keys()]);
        if (signal.aborted) throw new DomainError('unavailable', 'CALLER_GONE', 'the caller no longer waits');
        const changed = known.flatMap((node) => {
          const { connectivity, since } = news.get(node.nodeId) ?? {};
          const next = connectivity && since ? hearOf(node, connectivity, since) : node;
          return next === node ? [] : [next];
        });
        await saveAndTell(tx, ...changed);
        return {};
      }),
    );
  }
}

function check(requestId: string, nodes: readonly HeardOf[]): void {
  const fields = new Fields();
  fields.requestId(requestId);
  if (nodes.length === 0) fields.add('nodes', 'REQUIRED', 'must not be empty');
  if (nodes.length > REPORT_NODES_MAX) fields.add('nodes', 'TOO_MANY', `must have at most ${REPORT_NODES_MAX} nodes`);
  const seen = new Set<string>();
  for (const [index, { nodeId, connectivity, since }] of nodes.slice(0, REPORT_NODES_MAX).entries()) {
    fields.uuid(`nodes[${index}].node_id`, nodeId);
    fields.require(!seen.has(nodeId), `nodes[${index}].node_id`, 'DUPLICATE', 'is named twice');
    seen.add(nodeId);
    fields.known(`nodes[${index}].connectivity`, connectivity, CONNECTIVITIES);
    if (since === undefined) fields.add(`nodes[${index}].since_time`, 'REQUIRED', 'must be set');
    else fields.require(!Number.isNaN(since.getTime()), `nodes[${index}].since_time`, 'MALFORMED', 'is not a time');
  }
  fields.refuse();
}
