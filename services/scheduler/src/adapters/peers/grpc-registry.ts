import { notFound } from '@daya/kernel';
import { toDomainError, type GrpcClient } from '@daya/nest';
import { toTimestamp } from '@daya/proto';
import {
  Connectivity as ProtoConnectivity,
  type OrganisationServiceService,
  type ProviderServiceService,
} from '@daya/proto/registry';
import { NodeRegistry, Projects, type Heard } from '../../application/ports';
import type { Connectivity } from '../../domain/connectivity';

const DEADLINE_MS = 3_000;
/** A project never moves to another organisation, so what was seen once holds. */
const PROJECTS_REMEMBERED_MAX = 10_000;

/** Asks the registry once per project. */
export class GrpcProjects extends Projects {
  private readonly known = new Set<string>();

  constructor(private readonly client: GrpcClient<typeof OrganisationServiceService>) {
    super();
  }

  override async require(organisationId: string, projectId: string): Promise<void> {
    const key = `${organisationId} ${projectId}`;
    if (this.known.has(key)) return;
    const { project } = await this.client
      .getProject({ projectId }, { deadlineMs: DEADLINE_MS })
      .catch((error: unknown) => {
        throw toDomainError(error);
      });
    if (project?.organisationId !== organisationId) throw notFound('project', projectId);
    if (this.known.size >= PROJECTS_REMEMBERED_MAX) this.known.clear();
    this.known.add(key);
  }
}

const CONNECTIVITY: Readonly<Record<Connectivity, ProtoConnectivity>> = ProtoConnectivity;

export class GrpcNodeRegistry extends NodeRegistry {
  constructor(private readonly client: GrpcClient<typeof ProviderServiceService>) {
    super();
  }

  override async reportConnectivity(requestId: string, nodes: readonly Heard[], signal: AbortSignal): Promise<void> {
    const changed = nodes.map((node) => ({
      nodeId: node.nodeId,
      connectivity: CONNECTIVITY[node.connectivity],
      sinceTime: toTimestamp(node.sinceTime),
    }));
    await this.client
      .reportConnectivity({ requestId, nodes: changed }, { deadlineMs: DEADLINE_MS, signal })
      .catch((error: unknown) => {
        throw toDomainError(error);
      });
  }
}
