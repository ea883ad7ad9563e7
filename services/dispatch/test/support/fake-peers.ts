import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Server, ServerCredentials, type handleUnaryCall, type UntypedServiceImplementation } from '@grpc/grpc-js';
import type { DomainError } from '@daya/kernel';
import { toStatus, type ServiceDefinition } from '@daya/nest';
import {
  ProviderServiceService,
  type BatchCheckNodeCertificatesRequest,
  type CheckNodeCertificateRequest,
  type CheckNodeCertificateResponse,
  type EnrolNodeRequest,
  type EnrolNodeResponse,
  type RenewNodeCertificateRequest,
  type RenewNodeCertificateResponse,
  type ReportInventoryRequest,
} from '@daya/proto/registry';
import {
  BlobServiceService,
  LeaseReportOutcome,
  LeaseServiceService,
  SchedulerServiceService,
  type CheckBlobRequest,
  type GetJobRequest,
  type GetLeaseOffersRequest,
  type Job,
  type LeaseReport,
  type LeaseStop,
  type NodeHeartbeat,
  type RegisterBlobRequest,
  type SignedLeaseOffer,
} from '@daya/proto/scheduler';
import type { TestIdentity } from '@daya/testing';

/** A peer's gRPC server over the real protos and TLS; a test says what it answers. */
export class FakePeer {
  private server: Server | undefined;
  private port = 0;
  /** Thrown by every call while it is set. */
  refusal: DomainError | undefined;
  private readonly refusals = new Map<string, DomainError>();
  readonly tokens: { readonly service: string | undefined; readonly caller: string | undefined }[] = [];

  constructor(
    private readonly identity: TestIdentity,
    private readonly name: string,
    private readonly services: readonly (readonly [ServiceDefinition, Record<string, (request: never) => unknown>])[],
  ) {}

  get url(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** Listens on its old port again after `stop`. */
  async start(): Promise<void> {
    const server = new Server({ 'grpc.max_receive_message_length': 262_144 });
    for (const [definition, handlers] of this.services) {
      const wrapped = Object.entries(handlers).map(([name, handle]) => [
        name,
        this.wrap(name, handle as (request: unknown) => unknown),
      ]);
      server.addService(definition as never, Object.fromEntries(wrapped) as UntypedServiceImplementation);
    }
    const read = (name: string): Buffer => readFileSync(join(this.identity.folder, name));
    const pair = { private_key: read(`${this.name}.key.pem`), cert_chain: read(`${this.name}.cert.pem`) };
    const credentials = ServerCredentials.createSsl(read('ca.pem'), [pair], false);
    this.port = await new Promise<number>((resolve, reject) => {
      server.bindAsync(`127.0.0.1:${this.port}`, credentials, (error, port) => (error ? reject(error) : resolve(port)));
    });
    this.server = server;
  }

  stop(): void {
    this.server?.forceShutdown();
  }

  /** Thrown by one method only. */
  refuseOnly(method: string, refusal: DomainError | undefined): void {
    if (refusal === undefined) this.refusals.delete(method);
    else this.refusals.set(method, refusal);
  }

  private wrap(name: string, handle: (request: unknown) => unknown): handleUnaryCall<unknown, unknown> {
    return (call, callback) => {
      const header = (key: string): string | undefined => call.metadata.get(key)[0]?.toString();
      this.tokens.push({ service: header('authorization'), caller: header('x-daya-caller') });
      Promise.resolve()
        .then(() => {
          const refusal = this.refusal ?? this.refusals.get(name);
          if (refusal !== undefined) throw refusal;
          return handle(call.request);
        })
        .then(
          (answer) => callback(null, answer),
          (error: unknown) => callback(toStatus(error)),
        );
    };
  }
}

/** What the tests want of registry. */
export class FakeRegistry {
  readonly certificates = new Map<string, CheckNodeCertificateResponse>();
  readonly inventories: ReportInventoryRequest[] = [];
  readonly enrolments: EnrolNodeRequest[] = [];
  readonly renewals: RenewNodeCertificateRequest[] = [];
  checks = 0;
  readonly peer: FakePeer;

  constructor(identity: TestIdentity) {
    const handlers = {
      batchCheckNodeCertificates: ({ certificates }: BatchCheckNodeCertificatesRequest) => {
        this.checks += certificates.length;
        const unknown = { valid: false, publicKey: Buffer.alloc(0), emulated: false };
        const stateOf = ({ nodeId, generation }: CheckNodeCertificateRequest) =>
          this.certificates.get(`${nodeId}/${generation}`) ?? unknown;
        return { checks: certificates.map(stateOf) };
      },
      reportInventory: (request: ReportInventoryRequest) => {
        this.inventories.push(request);
        return { node: undefined };
      },
      enrolNode: (request: EnrolNodeRequest): EnrolNodeResponse => {
        this.enrolments.push(request);
        const expireTime = { seconds: 2_000_000_000n, nanos: 0 };
        return {
          nodeId: 'node',
          certificateChain: 'pem',
          schedulerPublicKey: Buffer.alloc(32, 7),
          generation: 1,
          expireTime,
        };
      },
      renewNodeCertificate: (request: RenewNodeCertificateRequest): RenewNodeCertificateResponse => {
        this.renewals.push(request);
        return {
          certificateChain: 'pem2',
          generation: request.generation + 1,
          expireTime: { seconds: 2_000_000_000n, nanos: 0 },
        };
      },
    };
    this.peer = new FakePeer(identity, 'registry', [[ProviderServiceService as never, handlers]]);
  }

  revoke(nodeId: string, generation = 1): void {
    const known = this.certificates.get(`${nodeId}/${generation}`);
    if (known !== undefined) this.certificates.set(`${nodeId}/${generation}`, { ...known, valid: false });
  }
}

/** What the tests want of the scheduler. */
export class FakeScheduler {
  readonly offers = new Map<string, SignedLeaseOffer>();
  readonly stops = new Map<string, LeaseStop>();
  /** Lease → node, for the outcome of reports. */
  readonly leases = new Map<string, { readonly nodeId: string; readonly leaseToken: bigint }>();
  readonly reports: LeaseReport[] = [];
  readonly reportBatches: number[] = [];
  readonly heartbeats: NodeHeartbeat[] = [];
  readonly jobs = new Map<string, Job>();
  readonly blobs: RegisterBlobRequest[] = [];
  readonly owned = new Set<string>();
  readonly unknownNodes = new Set<string>();
  offerCalls = 0;
  readonly peer: FakePeer;

  constructor(identity: TestIdentity) {
    const leaseHandlers = {
      getLeaseOffers: ({ leaseIds }: GetLeaseOffersRequest) => {
        this.offerCalls += 1;
        return {
          offers: leaseIds.flatMap((id) => this.offers.get(id) ?? []),
          stops: leaseIds.flatMap((id) => this.stops.get(id) ?? []),
        };
      },
      reportLeases: ({ reports }: { reports: LeaseReport[] }) => {
        this.reportBatches.push(reports.length);
        return { results: reports.map((report) => this.apply(report)) };
      },
      renewLeases: ({ heartbeats }: { heartbeats: NodeHeartbeat[] }) => {
        this.heartbeats.push(...heartbeats);
        const known = heartbeats.filter(({ nodeId }) => !this.unknownNodes.has(nodeId));
        return { renewals: known.map((heartbeat) => this.renewalOf(heartbeat)) };
      },
    };
    const blobHandlers = {
      registerBlob: (request: RegisterBlobRequest) => {
        this.blobs.push(request);
        this.owned.add(`${request.organisationId}/${request.sha256}`);
        return {};
      },
      checkBlob: ({ organisationId, sha256 }: CheckBlobRequest) => ({
        owned: this.owned.has(`${organisationId}/${sha256}`),
        bytes: 0n,
      }),
    };
    const jobHandlers = { getJob: ({ jobId }: GetJobRequest) => ({ job: this.jobs.get(jobId) }) };
    this.peer = new FakePeer(identity, 'scheduler', [
      [LeaseServiceService as never, leaseHandlers],
      [BlobServiceService as never, blobHandlers],
      [SchedulerServiceService as never, jobHandlers],
    ]);
  }

  private apply(report: LeaseReport): { reportId: string; outcome: LeaseReportOutcome; reason: string } {
    const isRepeat = this.reports.some(({ reportId }) => reportId === report.reportId);
    const lease = this.leases.get(report.leaseId);
    const { reportId } = report;
    if (lease?.nodeId !== report.nodeId)
      return { reportId, outcome: LeaseReportOutcome.REFUSED, reason: 'LEASE_OF_ANOTHER_NODE' };
    if (lease.leaseToken !== report.leaseToken)
      return { reportId, outcome: LeaseReportOutcome.STALE, reason: 'TOKEN_STALE' };
    if (isRepeat) return { reportId, outcome: LeaseReportOutcome.DUPLICATE, reason: '' };
    this.reports.push(report);
    return { reportId, outcome: LeaseReportOutcome.APPLIED, reason: '' };
  }

  private renewalOf({ nodeId, leases }: NodeHeartbeat) {
    const mine = leases.filter(({ leaseId }) => this.leases.get(leaseId)?.nodeId === nodeId);
    const foreign = leases.filter(({ leaseId }) => this.leases.get(leaseId)?.nodeId !== nodeId);
    const expireTime = { seconds: 2_000_000_000n, nanos: 0 };
    return {
      nodeId,
      renewed: mine.map(({ leaseId }) => ({ leaseId, expireTime })),
      stops: foreign.map(({ leaseId, leaseToken }) => ({ leaseId, nodeId, leaseToken, reason: 'SUPERSEDED' })),
    };
  }
}
