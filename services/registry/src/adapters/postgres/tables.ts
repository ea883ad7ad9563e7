import type { ApiKey, StoredApiKey } from '../../domain/api-key';
import type { NodeCertificate } from '../../domain/certificate';
import type { EnrolmentToken } from '../../domain/enrolment';
import type { Member } from '../../domain/member';
import type { Node } from '../../domain/node';
import type { Offer } from '../../domain/offer';
import type { Organisation, Project, Team } from '../../domain/organisation';
import type { Provider } from '../../domain/provider';
import { Table, type Columns } from './table';

export const ORGANISATIONS = new Table<Organisation>('organisation', ['organisationId'], {
  organisationId: 'plain',
  displayName: 'plain',
  kind: 'plain',
  createTime: 'plain',
  version: 'bigint',
});

export const TEAMS = new Table<Team>('team', ['teamId'], {
  teamId: 'plain',
  organisationId: 'plain',
  displayName: 'plain',
  createTime: 'plain',
});

export const PROJECTS = new Table<Project>('project', ['projectId'], {
  projectId: 'plain',
  organisationId: 'plain',
  teamId: 'optional',
  displayName: 'plain',
  labels: 'json',
  createTime: 'plain',
  version: 'bigint',
});

export const MEMBERS = new Table<Member>('member', ['memberId'], {
  memberId: 'plain',
  organisationId: 'plain',
  email: 'plain',
  role: 'plain',
  teamId: 'optional',
  createTime: 'plain',
});

const API_KEY_COLUMNS: Columns<ApiKey> = {
  keyId: 'plain',
  organisationId: 'plain',
  displayName: 'plain',
  prefix: 'plain',
  role: 'plain',
  scopes: 'plain',
  createTime: 'plain',
  expireTime: 'plain',
  revokeTime: 'optional',
};

export const STORED_API_KEYS = new Table<StoredApiKey>('api_key', ['keyId'], {
  ...API_KEY_COLUMNS,
  secretHash: 'plain',
});
/** As it may be shown. */
export const API_KEYS = new Table<ApiKey>('api_key', ['keyId'], API_KEY_COLUMNS);

export const PROVIDERS = new Table<Provider>('provider', ['providerId'], {
  providerId: 'plain',
  organisationId: 'plain',
  displayName: 'plain',
  kind: 'plain',
  rewardAddress: 'plain',
  createTime: 'plain',
  version: 'bigint',
});

export const ENROLMENT_TOKENS = new Table<EnrolmentToken>('enrolment_token', ['tokenId'], {
  tokenId: 'plain',
  prefix: 'plain',
  organisationId: 'plain',
  providerId: 'plain',
  displayName: 'plain',
  region: 'plain',
  emulated: 'plain',
  secretHash: 'plain',
  createTime: 'plain',
  expireTime: 'plain',
  nodeId: 'optional',
  requestHash: 'optional',
});

export const NODES = new Table<Node>('node', ['nodeId'], {
  nodeId: 'plain',
  providerId: 'plain',
  organisationId: 'plain',
  displayName: 'plain',
  region: 'plain',
  emulated: 'plain',
  inventory: 'json',
  inventoryGeneration: 'plain',
  connectivity: 'optional',
  connectivityTime: 'optional',
  ownerReason: 'plain',
  gpuConflict: 'plain',
  admissionState: 'plain',
  admissionReason: 'plain',
  admissionTime: 'optional',
  canaryJobId: 'optional',
  canaryDueTime: 'optional',
  canaryAttempts: 'plain',
  trustTier: 'plain',
  certificateGeneration: 'plain',
  certificateExpireTime: 'plain',
  revokeTime: 'optional',
  revokeReason: 'plain',
  createTime: 'plain',
  version: 'bigint',
});

export const CERTIFICATES = new Table<NodeCertificate>('node_certificate', ['nodeId', 'generation'], {
  nodeId: 'plain',
  generation: 'plain',
  publicKey: 'plain',
  certificateChain: 'plain',
  requestHash: 'plain',
  issueTime: 'plain',
  expireTime: 'plain',
});

export const OFFERS = new Table<Offer>('offer', ['offerId'], {
  offerId: 'plain',
  nodeId: 'plain',
  providerId: 'plain',
  organisationId: 'plain',
  gpuModelId: 'plain',
  gpuCount: 'plain',
  priceMicrosPerGpuHour: 'bigint',
  region: 'plain',
  reliabilityBps: 'plain',
  minRentalSeconds: 'plain',
  maxRentalSeconds: 'plain',
  networkAllowed: 'plain',
  state: 'plain',
  createTime: 'plain',
  version: 'bigint',
  emulated: 'plain',
});
