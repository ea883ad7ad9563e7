import { DomainError } from '@daya/kernel';
import { write } from '@daya/postgres';
import type { EntityManager } from 'typeorm';
import type { Fleet } from '../../application/ports';
import type { CertificateId, NodeCertificate } from '../../domain/certificate';
import type { EnrolmentToken } from '../../domain/enrolment';
import type { Gpu } from '../../domain/inventory';
import type { Node } from '../../domain/node';
import type { Provider } from '../../domain/provider';
import type { LeaseHistory } from '../../domain/reliability';
import { CERTIFICATES, ENROLMENT_TOKENS, NODES, PROVIDERS } from './tables';

export class PostgresFleet implements Fleet {
  constructor(private readonly em: EntityManager) {}

  async addProvider(provider: Provider): Promise<void> {
    const taken = (): DomainError =>
      new DomainError('already-exists', 'PROVIDER_EXISTS', 'the organisation is a provider already');
    await PROVIDERS.insert(this.em, provider, { provider_organisation: taken });
  }

  provider(providerId: string): Promise<Provider | undefined> {
    return PROVIDERS.first(this.em, 'WHERE provider_id = $1', [providerId]);
  }

  providers(providerIds: readonly string[]): Promise<readonly Provider[]> {
    return PROVIDERS.select(this.em, 'WHERE provider_id = ANY($1::uuid[])', [providerIds]);
  }

  addToken(token: EnrolmentToken): Promise<void> {
    return ENROLMENT_TOKENS.insert(this.em, token);
  }

  lockTokenByPrefix(prefix: string): Promise<EnrolmentToken | undefined> {
    return ENROLMENT_TOKENS.first(this.em, 'WHERE prefix = $1 FOR UPDATE', [prefix]);
  }

  saveToken(token: EnrolmentToken): Promise<void> {
    return ENROLMENT_TOKENS.update(this.em, token);
  }

  addNode(node: Node): Promise<void> {
    return NODES.insert(this.em, node);
  }

  node(nodeId: string): Promise<Node | undefined> {
    return NODES.first(this.em, 'WHERE node_id = $1', [nodeId]);
  }

  nodes(nodeIds: readonly string[]): Promise<readonly Node[]> {
    return NODES.select(this.em, 'WHERE node_id = ANY($1::uuid[])', [nodeIds]);
  }

  lockNode(nodeId: string): Promise<Node | undefined> {
    return NODES.first(this.em, 'WHERE node_id = $1 FOR UPDATE', [nodeId]);
  }

  lockNodes(nodeIds: readonly string[]): Promise<readonly Node[]> {
    return NODES.select(this.em, 'WHERE node_id = ANY($1::uuid[]) ORDER BY node_id FOR UPDATE', [nodeIds]);
  }

  saveNode(node: Node): Promise<void> {
    return NODES.update(this.em, node);
  }

  saveNodes(nodes: readonly Node[]): Promise<void> {
    return NODES.updateAll(this.em, nodes);
  }

  addCertificate(certificate: NodeCertificate): Promise<void> {
    return CERTIFICATES.insert(this.em, certificate);
  }

  certificate(nodeId: string, generation: number): Promise<NodeCertificate | undefined> {
    return CERTIFICATES.first(this.em, 'WHERE node_id = $1 AND generation = $2', [nodeId, generation]);
  }

  certificates(wanted: readonly CertificateId[]): Promise<readonly NodeCertificate[]> {
    return CERTIFICATES.select(
      this.em,
      'WHERE (node_id, generation) IN (SELECT * FROM unnest($1::uuid[], $2::int[]))',
      [wanted.map(({ nodeId }) => nodeId), wanted.map(({ generation }) => generation)],
    );
  }

  /** The unique indexes decide who has a GPU; identities are inserted in one order, so two nodes never wait for each other. */
  async bindGpus(nodeId: string, gpus: readonly Gpu[]): Promise<void> {
    const wanted = [...gpus].sort((left, right) => (left.uuid < right.uuid ? -1 : 1));
    const arrays = [wanted.map(({ uuid }) => uuid), wanted.map(({ serial }) => serial)];
    await write(
      this.em,
      `DELETE FROM gpu_binding b WHERE node_id = $1
       AND NOT EXISTS (SELECT 1 FROM unnest($2::text[], $3::text[]) AS w (uuid, serial) WHERE w.uuid = b.uuid AND w.serial = b.serial)`,
      [nodeId, ...arrays],
    );
    if (wanted.length === 0) return;
    await write(
      this.em,
      `INSERT INTO gpu_binding (node_id, uuid, serial) SELECT $1, uuid, serial FROM unnest($2::text[], $3::text[]) AS w (uuid, serial)
       ORDER BY uuid ON CONFLICT DO NOTHING`,
      [nodeId, ...arrays],
    );
    const rows: { count: number }[] = await this.em.query(
      `SELECT count(*)::int AS count FROM gpu_binding WHERE node_id = $1`,
      [nodeId],
    );
    if (rows[0]?.count === wanted.length) return;
    throw new DomainError('already-exists', 'GPU_BOUND_ELSEWHERE', 'another active node has one of these GPUs', {
      node_id: nodeId,
    });
  }

  lockDueCanaries(now: Date, limit: number): Promise<readonly Node[]> {
    return NODES.select(
      this.em,
      `WHERE canary_due_time <= $1 AND admission_state = 'pending' AND revoke_time IS NULL
       ORDER BY canary_due_time LIMIT $2 FOR UPDATE SKIP LOCKED`,
      [now, limit],
    );
  }

  async markForAnnouncement(gpuModelId: string): Promise<void> {
    const holds = JSON.stringify({ gpus: [{ gpuModelId }] });
    await write(this.em, `UPDATE node SET announce = true WHERE inventory @> $1::jsonb AND revoke_time IS NULL`, [
      holds,
    ]);
  }

  async takeMarked(limit: number): Promise<readonly Node[]> {
    const nodes = await NODES.select(this.em, 'WHERE announce ORDER BY node_id LIMIT $1 FOR UPDATE SKIP LOCKED', [
      limit,
    ]);
    const ids = nodes.map(({ nodeId }) => nodeId);
    if (ids.length > 0) await write(this.em, `UPDATE node SET announce = false WHERE node_id = ANY($1::uuid[])`, [ids]);
    return nodes;
  }

  async countLease(nodeId: string, providerFault: boolean): Promise<LeaseHistory> {
    await write(
      this.em,
      `INSERT INTO lease_history AS h (node_id, ended_count, provider_fault_count) VALUES ($1, 1, $2)
       ON CONFLICT (node_id) DO UPDATE SET ended_count = h.ended_count + 1, provider_fault_count = h.provider_fault_count + $2`,
      [nodeId, providerFault ? 1 : 0],
    );
    return this.leaseHistory(nodeId);
  }

  async leaseHistory(nodeId: string): Promise<LeaseHistory> {
    const [row]: { ended_count: string; provider_fault_count: string }[] = await this.em.query(
      `SELECT ended_count, provider_fault_count FROM lease_history WHERE node_id = $1`,
      [nodeId],
    );
    return { endedCount: BigInt(row?.ended_count ?? 0), providerFaultCount: BigInt(row?.provider_fault_count ?? 0) };
  }
}
