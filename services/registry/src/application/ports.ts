import type { Clock, IdGenerator, Scope } from '@daya/kernel';
import type { ApiKey, StoredApiKey } from '../domain/api-key';
import type { CertificateId, NodeCertificate } from '../domain/certificate';
import type { EnrolmentToken } from '../domain/enrolment';
import type { RegistryEvent } from '../domain/events';
import type { GpuModel, ScuRating } from '../domain/gpu-model';
import type { Gpu } from '../domain/inventory';
import type { Member } from '../domain/member';
import type { Node } from '../domain/node';
import type { Offer } from '../domain/offer';
import type { Organisation, Project, Team } from '../domain/organisation';
import type { Provider } from '../domain/provider';
import type { LeaseHistory } from '../domain/reliability';

/** Everything one transaction may touch. Locks are taken in this order: organisation, node, its offers by id. */
export interface Transaction {
  readonly requests: Requests;
  readonly tenants: Tenants;
  readonly keys: Keys;
  readonly fleet: Fleet;
  readonly market: Market;
  readonly events: { append(...events: readonly RegistryEvent[]): Promise<void> };
}

export abstract class Store {
  /** One transaction; run again on deadlocks. Throws `unavailable` STORE_UNAVAILABLE when the database does not answer. */
  abstract transaction<T>(scope: Scope, work: (tx: Transaction) => Promise<T>): Promise<T>;
}

export interface RequestKey {
  /** Whose request ids these are: an organisation, or a service. */
  readonly scope: string;
  readonly method: string;
  readonly requestId: string;
  /** All that makes two requests the same. */
  readonly content: readonly unknown[];
}

export interface Requests {
  /** Runs `work` once per request id and gives every repetition the first answer. Throws `already-exists` REQUEST_ID_REUSED. */
  once<T>(key: RequestKey, work: () => Promise<T>): Promise<T>;
}

/** Organisations, teams, projects and members. */
export interface Tenants {
  addOrganisation(organisation: Organisation): Promise<void>;
  /** Locks it: changes of one organisation's members wait for each other. */
  lockOrganisation(organisationId: string): Promise<Organisation | undefined>;
  saveOrganisation(organisation: Organisation): Promise<void>;
  addTeam(team: Team): Promise<void>;
  team(teamId: string): Promise<Team | undefined>;
  addProject(project: Project): Promise<void>;
  lockProject(projectId: string): Promise<Project | undefined>;
  saveProject(project: Project): Promise<void>;
  member(memberId: string): Promise<Member | undefined>;
  memberByEmail(organisationId: string, email: string): Promise<Member | undefined>;
  ownerCount(organisationId: string): Promise<number>;
  /** Adds the member or replaces the one of that id. */
  putMember(member: Member): Promise<void>;
  removeMember(memberId: string): Promise<void>;
}

export interface Keys {
  add(key: StoredApiKey): Promise<void>;
  lock(keyId: string): Promise<StoredApiKey | undefined>;
  save(key: StoredApiKey): Promise<void>;
  byPrefix(prefix: string): Promise<StoredApiKey | undefined>;
  /** How many keys an organisation has that are neither revoked nor expired. */
  usableCount(organisationId: string, now: Date): Promise<number>;
}

/** Providers, enrolment tokens, nodes, certificates and GPU identities. */
export interface Fleet {
  /** Throws `already-exists` PROVIDER_EXISTS: an organisation is one provider. */
  addProvider(provider: Provider): Promise<void>;
  provider(providerId: string): Promise<Provider | undefined>;
  providers(providerIds: readonly string[]): Promise<readonly Provider[]>;
  addToken(token: EnrolmentToken): Promise<void>;
  lockTokenByPrefix(prefix: string): Promise<EnrolmentToken | undefined>;
  saveToken(token: EnrolmentToken): Promise<void>;
  addNode(node: Node): Promise<void>;
  node(nodeId: string): Promise<Node | undefined>;
  /** Those that exist, in any order. */
  nodes(nodeIds: readonly string[]): Promise<readonly Node[]>;
  lockNode(nodeId: string): Promise<Node | undefined>;
  /** Locks those that exist, in the order of their ids. */
  lockNodes(nodeIds: readonly string[]): Promise<readonly Node[]>;
  saveNode(node: Node): Promise<void>;
  /** In one statement, whatever their number. */
  saveNodes(nodes: readonly Node[]): Promise<void>;
  addCertificate(certificate: NodeCertificate): Promise<void>;
  certificate(nodeId: string, generation: number): Promise<NodeCertificate | undefined>;
  /** Those that exist, in any order. */
  certificates(wanted: readonly CertificateId[]): Promise<readonly NodeCertificate[]>;
  /** Makes exactly these GPUs the node's. Throws `already-exists` GPU_BOUND_ELSEWHERE when another active node has one. */
  bindGpus(nodeId: string, gpus: readonly Gpu[]): Promise<void>;
  /** Locks up to `limit` nodes whose canary is due, passing over those that another replica works on. */
  lockDueCanaries(now: Date, limit: number): Promise<readonly Node[]>;
  /** Marks every node that has a GPU of the model, so that its rating is told again. */
  markForAnnouncement(gpuModelId: string): Promise<void>;
  /** Locks up to `limit` marked nodes and takes their marks away. */
  takeMarked(limit: number): Promise<readonly Node[]>;
  /** Counts one ended lease and returns the node's history. */
  countLease(nodeId: string, providerFault: boolean): Promise<LeaseHistory>;
  leaseHistory(nodeId: string): Promise<LeaseHistory>;
}

/** Catalogue and offers. */
export interface Market {
  lockModel(gpuModelId: string): Promise<GpuModel | undefined>;
  /** Adds a rating and moves the model to `version`. */
  addRating(gpuModelId: string, rating: ScuRating, version: bigint): Promise<void>;
  /** Those that exist; all of them when no ids are given. */
  models(gpuModelIds?: readonly string[]): Promise<readonly GpuModel[]>;
  /** Throws `already-exists` OFFER_EXISTS: a node has one open offer per model. */
  addOffer(offer: Offer): Promise<void>;
  lockOffer(offerId: string): Promise<Offer | undefined>;
  /** Locks a node's open offers, in the order of their ids. */
  lockOpenOffers(nodeId: string): Promise<readonly Offer[]>;
  saveOffer(offer: Offer): Promise<void>;
}

export interface Page<T> {
  readonly rows: readonly T[];
  /** The last row's id when there are more. */
  readonly next: string | undefined;
}

/** Rows after an id, in the order of ids; ids grow with time, so new rows land behind every cursor. */
export interface PageRequest {
  readonly size: number;
  readonly after: string | undefined;
}

export interface OfferFilter {
  /** Empty: every model. */
  readonly gpuModelId: string;
  /** Empty: every region. */
  readonly region: string;
}

/** Reads for screens. A scope sees its own organisation's rows and what is public; `system` sees all. */
export abstract class RegistryQueries {
  abstract organisation(scope: Scope, organisationId: string): Promise<Organisation | undefined>;
  abstract organisations(scope: Scope, page: PageRequest): Promise<Page<Organisation>>;
  abstract teams(scope: Scope, page: PageRequest): Promise<Page<Team>>;
  abstract project(scope: Scope, projectId: string): Promise<Project | undefined>;
  abstract projects(scope: Scope, page: PageRequest): Promise<Page<Project>>;
  abstract members(scope: Scope, page: PageRequest): Promise<Page<Member>>;
  abstract keys(scope: Scope, page: PageRequest): Promise<Page<ApiKey>>;
  abstract provider(scope: Scope, providerId: string): Promise<Provider | undefined>;
  abstract providers(scope: Scope, page: PageRequest): Promise<Page<Provider>>;
  abstract node(scope: Scope, nodeId: string): Promise<Node | undefined>;
  abstract nodes(scope: Scope, page: PageRequest): Promise<Page<Node>>;
  abstract offer(scope: Scope, offerId: string): Promise<Offer | undefined>;
  abstract offers(scope: Scope, page: PageRequest, filter: OfferFilter): Promise<Page<Offer>>;
  abstract models(scope: Scope, page: PageRequest): Promise<Page<GpuModel>>;
}

/** What somebody must hear of although the caller was refused. */
export abstract class Alarms {
  /** A used enrolment token came again with another key: the first or the second user may have stolen it. */
  abstract tokenReused(token: EnrolmentToken): void;
}

/** Random bytes and keyed hashes of secrets. */
export abstract class Secrets {
  abstract random(bytes: number): Uint8Array;
  /** HMAC-SHA-256 under the pepper, hexadecimal. */
  abstract hash(secret: string): string;
  /** Compares in constant time; an absent hash takes as long as a wrong one and is false. */
  abstract matches(secret: string, hash: string | undefined): boolean;
  /** SHA-256 of what is no secret, hexadecimal. */
  abstract digest(bytes: Uint8Array): string;
}

/** Where new things come from: secrets, ids, the time. */
export class Making {
  constructor(
    readonly secrets: Secrets,
    readonly ids: IdGenerator,
    readonly clock: Clock,
  ) {}
}

export interface IssuedCertificate {
  /** PEM. */
  readonly certificateChain: string;
  /** Raw Ed25519, hexadecimal. */
  readonly publicKey: string;
}

/** The platform's certificate authority. */
export abstract class NodeCertificates {
  /** Throws `invalid` for a certificate request that cannot be signed. */
  abstract issue(request: {
    readonly certificateRequest: Uint8Array;
    readonly nodeId: string;
    readonly generation: number;
    readonly notBefore: Date;
    readonly notAfter: Date;
  }): Promise<IssuedCertificate>;
  /** Whether the raw public key (hexadecimal) made this signature. */
  abstract verify(publicKey: string, message: Uint8Array, signature: Uint8Array): boolean;
}

export interface CanaryStatus {
  readonly jobId: string;
  readonly outcome: 'running' | 'succeeded' | 'failed';
  /** Why it failed. */
  readonly reason: string;
}

/** Runs a canary on a node that is not admitted yet: the job that decides about its admission. */
export abstract class Canaries {
  /**
   * Submits the canary, or tells how the one of this request id is doing. Throws a DomainError when it could not be
   * submitted: the node may not be known there yet.
   */
  abstract submit(requestId: string, nodeId: string): Promise<CanaryStatus>;
}

/** What the operator decided. */
export abstract class Policy {
  abstract readonly allowEmulatedGpus: boolean;
  /** A refused node that reports again after this gets another canary. */
  abstract readonly canaryRetryMs: number;
  /** How long a submitted canary is left alone before it is asked after. */
  abstract readonly canaryPollMs: number;
  /** What signs lease offers: raw Ed25519, 32 bytes. */
  abstract readonly schedulerPublicKey: Uint8Array;
}
