import type { AuthenticateApiKey } from '../../application/authenticate-api-key';
import type { CheckNodeCertificate } from '../../application/check-node-certificate';
import type { CloseOffer } from '../../application/close-offer';
import type { CreateApiKey } from '../../application/create-api-key';
import type { CreateEnrolmentToken } from '../../application/create-enrolment-token';
import type { CreateOffer } from '../../application/create-offer';
import type { CreateOrganisation } from '../../application/create-organisation';
import type { CreateProject } from '../../application/create-project';
import type { CreateProvider } from '../../application/create-provider';
import type { CreateTeam } from '../../application/create-team';
import type { EnrolNode } from '../../application/enrol-node';
import type { Policy } from '../../application/ports';
import type { PutMember } from '../../application/put-member';
import type { PutScuRating } from '../../application/put-scu-rating';
import type { RemoveMember } from '../../application/remove-member';
import type { RenewNodeCertificate } from '../../application/renew-node-certificate';
import type { ReportConnectivity } from '../../application/report-connectivity';
import type { ReportInventory } from '../../application/report-inventory';
import type { RevokeApiKey } from '../../application/revoke-api-key';
import type { RevokeNode } from '../../application/revoke-node';
import type { UpdateNode } from '../../application/update-node';
import type { UpdateOffer } from '../../application/update-offer';
import type { UpdateOrganisation } from '../../application/update-organisation';
import type { UpdateProject } from '../../application/update-project';

/** What each controller calls. Classes, so that they are their own tokens. */
export class OrganisationUseCases {
  constructor(
    readonly createOrganisation: CreateOrganisation,
    readonly updateOrganisation: UpdateOrganisation,
    readonly createTeam: CreateTeam,
    readonly createProject: CreateProject,
    readonly updateProject: UpdateProject,
    readonly putMember: PutMember,
    readonly removeMember: RemoveMember,
    readonly createApiKey: CreateApiKey,
    readonly revokeApiKey: RevokeApiKey,
    readonly authenticateApiKey: AuthenticateApiKey,
  ) {}
}

export class FleetUseCases {
  constructor(
    readonly createProvider: CreateProvider,
    readonly createEnrolmentToken: CreateEnrolmentToken,
    readonly enrolNode: EnrolNode,
    readonly renewNodeCertificate: RenewNodeCertificate,
    readonly checkNodeCertificate: CheckNodeCertificate,
    readonly revokeNode: RevokeNode,
    readonly reportInventory: ReportInventory,
    readonly reportConnectivity: ReportConnectivity,
    readonly updateNode: UpdateNode,
    readonly policy: Policy,
  ) {}
}

export class MarketUseCases {
  constructor(
    readonly createOffer: CreateOffer,
    readonly updateOffer: UpdateOffer,
    readonly closeOffer: CloseOffer,
    readonly putScuRating: PutScuRating,
  ) {}
}
