import { Clock, IdGenerator } from '@daya/kernel';
import { provide } from '@daya/nest';
import { FleetUseCases, MarketUseCases, OrganisationUseCases } from './adapters/grpc/use-cases';
import { AdmitNodes } from './application/admit-nodes';
import { AnnounceNodes } from './application/announce-nodes';
import { AuthenticateApiKey } from './application/authenticate-api-key';
import { CheckNodeCertificate } from './application/check-node-certificate';
import { CloseOffer } from './application/close-offer';
import { CreateApiKey } from './application/create-api-key';
import { CreateEnrolmentToken } from './application/create-enrolment-token';
import { CreateOffer } from './application/create-offer';
import { CreateOrganisation } from './application/create-organisation';
import { CreateProject } from './application/create-project';
import { CreateProvider } from './application/create-provider';
import { CreateTeam } from './application/create-team';
import { EnrolNode } from './application/enrol-node';
import {
  Alarms,
  Canaries,
  Making,
  NodeCertificates,
  Policy,
  RegistryQueries,
  Secrets,
  Store,
} from './application/ports';
import { PutMember } from './application/put-member';
import { PutScuRating } from './application/put-scu-rating';
import { ReadRegistry } from './application/read-registry';
import { RecordCanary } from './application/record-canary';
import { RecordLeaseEnd } from './application/record-lease-end';
import { RemoveMember } from './application/remove-member';
import { RenewNodeCertificate } from './application/renew-node-certificate';
import { ReportConnectivity } from './application/report-connectivity';
import { CanaryBell, ReportInventory } from './application/report-inventory';
import { RevokeApiKey } from './application/revoke-api-key';
import { RevokeNode } from './application/revoke-node';
import { UpdateNode } from './application/update-node';
import { UpdateOffer } from './application/update-offer';
import { UpdateOrganisation } from './application/update-organisation';
import { UpdateProject } from './application/update-project';

const organisations = [
  provide(CreateOrganisation, [Store, Secrets, IdGenerator, Clock]),
  provide(UpdateOrganisation, [Store]),
  provide(CreateTeam, [Store, IdGenerator, Clock]),
  provide(CreateProject, [Store, IdGenerator, Clock]),
  provide(UpdateProject, [Store]),
  provide(PutMember, [Store, IdGenerator, Clock]),
  provide(RemoveMember, [Store]),
  provide(CreateApiKey, [Store, Secrets, IdGenerator, Clock]),
  provide(RevokeApiKey, [Store, Clock]),
  provide(AuthenticateApiKey, [Store, Secrets, Clock]),
  provide(OrganisationUseCases, [
    ...([CreateOrganisation, UpdateOrganisation, CreateTeam, CreateProject, UpdateProject] as const),
    ...([PutMember, RemoveMember, CreateApiKey, RevokeApiKey, AuthenticateApiKey] as const),
  ]),
];

const fleet = [
  provide(CreateProvider, [Store, IdGenerator, Clock]),
  provide(CreateEnrolmentToken, [Store, Making, Policy]),
  provide(EnrolNode, [Store, NodeCertificates, Making, Policy, Alarms]),
  provide(RenewNodeCertificate, [Store, NodeCertificates, Making]),
  provide(CheckNodeCertificate, [Store, Clock]),
  provide(RevokeNode, [Store, Clock]),
  provide(ReportInventory, [Store, Clock, Policy, CanaryBell]),
  provide(ReportConnectivity, [Store]),
  provide(UpdateNode, [Store]),
  provide(AdmitNodes, [Store, Canaries, Clock, Policy]),
  provide(AnnounceNodes, [Store]),
  provide(RecordCanary, [Clock]),
  provide(RecordLeaseEnd, []),
  provide(FleetUseCases, [
    ...([CreateProvider, CreateEnrolmentToken, EnrolNode, RenewNodeCertificate, CheckNodeCertificate] as const),
    ...([RevokeNode, ReportInventory, ReportConnectivity, UpdateNode, Policy] as const),
  ]),
];

const market = [
  provide(CreateOffer, [Store, IdGenerator, Clock]),
  provide(UpdateOffer, [Store]),
  provide(CloseOffer, [Store]),
  provide(PutScuRating, [Store]),
  provide(MarketUseCases, [CreateOffer, UpdateOffer, CloseOffer, PutScuRating]),
];

/** Every use case with what it needs. */
export const useCases = [...organisations, ...fleet, ...market, provide(ReadRegistry, [RegistryQueries])];
