import { createHash, generateKeyPairSync, randomUUID, sign, verify, X509Certificate } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { Server, ServerCredentials, status } from '@grpc/grpc-js';
import type { handleUnaryCall, ServerDuplexStream } from '@grpc/grpc-js';
import { AgentServiceService, EnrolmentServiceService, UsageBlock } from '@daya/proto/dispatch';
import type {
  AgentFrame,
  ConnectRequest,
  ConnectResponse,
  EnrolRequest,
  EnrolResponse,
  FetchBlobRequest,
  FetchBlobResponse,
  Hello,
  RenewRequest,
  RenewResponse,
  Report,
  ServerFrame,
  SignedUsageBlock,
  UploadArtifactRequest,
  UploadArtifactResponse,
} from '@daya/proto/dispatch';
import { toTimestamp } from '@daya/proto';
import { LeaseOffer, LeaseReportOutcome } from '@daya/proto/scheduler';
import type { ServerReadableStream, ServerWritableStream, sendUnaryData } from '@grpc/grpc-js';
import { Authority } from './authority';
import type { BlobSource } from '../../src/application/ports';
import { MemoryBlobs } from './oci-image';

type Stream = ServerDuplexStream<ConnectRequest, ConnectResponse>;

/** What the platform's edge does, by its protocol alone, over real mutual TLS: a counterpart for the agent's tests. */
export class TestPlatform {
  readonly token = 'one-time-token';
  readonly schedulerKeys = generateKeyPairSync('ed25519');
  readonly reports: Report[] = [];
  readonly usage: SignedUsageBlock[] = [];
  readonly hellos: Hello[] = [];
  readonly artifacts = new Map<string, Buffer>();
  readonly logs = new Map<string, Map<number, Buffer>>();
  heartbeats = 0;
  blobs: BlobSource = new MemoryBlobs();
  /** Switches of the tests. */
  acknowledgeReports = true;
  acknowledgeUsage = true;
  acknowledgeHeartbeats = true;
  outcomeOf: (report: Report) => LeaseReportOutcome = () => LeaseReportOutcome.APPLIED;
  certificateLifeMs = 3_600_000;
  generation = 1;
  /** Certificate requests of all renewals, in order. */
  readonly renewals: Buffer[] = [];
  losesRenewals = false;
  nodeKey: KeyObject | null = null;
  readonly nodeId = randomUUID();
  private tokenUsed = false;
  private readonly streams = new Set<Stream>();
  private readonly servers: Server[] = [];
  enrolmentPort = 0;
  agentPort = 0;

  private constructor(
    readonly authority: Authority,
    private readonly timers: { readonly heartbeatMs: number; readonly selfFenceMs: number },
  ) {}

  static async start(timers: TestPlatform['timers']): Promise<TestPlatform> {
    const platform = new TestPlatform(await Authority.create(), timers);
    platform.agentPort = await platform.listen(true, 0);
    platform.enrolmentPort = await platform.listen(false, 0);
    return platform;
  }

  /** Cuts every connection and stops listening; `comeBack` listens at the same port again. */
  goAway(): void {
    this.servers.shift()?.forceShutdown();
    this.streams.clear();
  }

  async comeBack(): Promise<void> {
    this.agentPort = await this.listen(true, this.agentPort);
  }

  stop(): void {
    for (const server of this.servers) server.forceShutdown();
  }

  offer(changes: Partial<LeaseOffer> = {}, signingKey = this.schedulerKeys.privateKey): LeaseOffer {
    const offer = LeaseOffer.fromPartial({
      leaseId: randomUUID(),
      leaseToken: 1n,
      nodeId: this.nodeId,
      jobId: randomUUID(),
      gpuUuids: ['GPU-A'],
      maxRunSeconds: 20,
      answerTime: toTimestamp(new Date(Date.now() + 10_000)),
      ...changes,
    });
    const bytes = Buffer.from(LeaseOffer.encode(offer).finish());
    this.broadcast({
      frame: {
        $case: 'offer',
        value: { leaseId: offer.leaseId, nodeId: offer.nodeId, offer: bytes, signature: sign(null, bytes, signingKey) },
      },
    });
    return offer;
  }

  broadcast(frame: ServerFrame): void {
    for (const stream of this.streams) stream.write({ frame });
  }

  logOf(leaseId: string): string {
    const pieces = [...(this.logs.get(leaseId) ?? [])].sort(([left], [right]) => left - right);
    return Buffer.concat(pieces.map(([, data]) => data)).toString('utf8');
  }

  /** Ticks of a lease after checking every signature. */
  ticksOf(leaseId: string): readonly {
    readonly sequence: number;
    readonly cumulativeMs: number;
    readonly final: boolean;
    readonly bootId: string;
  }[] {
    return this.usage.flatMap((signed) => {
      if (this.nodeKey === null || !verify(null, signed.block, this.nodeKey, signed.signature))
        throw new Error('a usage block is not signed by the node');
      const block = UsageBlock.decode(signed.block);
      return block.ticks
        .map((tick, index) => ({
          leaseId: tick.leaseId,
          sequence: Number(block.firstSequence) + index,
          cumulativeMs: Number(tick.cumulativeMs),
          final: tick.final,
          bootId: block.bootId,
        }))
        .filter((tick) => tick.leaseId === leaseId);
    });
  }

  private async listen(forAgents: boolean, port: number): Promise<number> {
    const server = new Server();
    const { certificate, key } = await this.authority.serverCredentials('localhost');
    const pair = [{ private_key: Buffer.from(key), cert_chain: Buffer.from(certificate) }];
    const secure = ServerCredentials.createSsl(Buffer.from(this.authority.pem), pair, forAgents);
    if (forAgents)
      server.addService(AgentServiceService, {
        connect: (call: Stream) => this.connect(call),
        fetchBlob: this.fetchBlob,
        uploadArtifact: this.uploadArtifact,
      });
    else server.addService(EnrolmentServiceService, { enrol: this.enrol, renew: this.renew });
    const bound = await new Promise<number>((resolve, reject) => {
      server.bindAsync(`127.0.0.1:${port}`, secure, (error, actual) =>
        error === null ? resolve(actual) : reject(error),
      );
    });
    if (forAgents) this.servers.unshift(server);
    else this.servers.push(server);
    return bound;
  }

  private readonly enrol: handleUnaryCall<EnrolRequest, EnrolResponse> = (call, done) => {
    if (call.request.token !== this.token || this.tokenUsed)
      return done({ code: status.PERMISSION_DENIED, details: 'the token is not valid' });
    this.tokenUsed = true;
    this.certify(call.request.certificateRequest).then(
      (certificateChain) => {
        const publicJwk = this.schedulerKeys.publicKey.export({ format: 'jwk' });
        const schedulerPublicKey = Buffer.from(publicJwk.x ?? '', 'base64url');
        done(null, {
          nodeId: this.nodeId,
          certificateChain,
          schedulerPublicKey,
          generation: this.generation,
          agentAddress: `localhost:${this.agentPort}`,
        });
      },
      (error: Error) => done(error),
    );
  };

  private readonly renew: handleUnaryCall<RenewRequest, RenewResponse> = (call, done) => {
    const { nodeId, generation, certificateRequest, signature } = call.request;
    this.renewals.push(Buffer.from(certificateRequest));
    if (this.losesRenewals) return done({ code: status.UNAVAILABLE, details: 'the answer is lost' });
    const signed = Buffer.alloc(4);
    signed.writeInt32BE(generation);
    const genuine =
      this.nodeKey !== null && verify(null, Buffer.concat([certificateRequest, signed]), this.nodeKey, signature);
    if (!genuine || nodeId !== this.nodeId || generation !== this.generation)
      return done({ code: status.PERMISSION_DENIED, details: 'not renewed' });
    this.generation += 1;
    this.certify(certificateRequest).then(
      (certificateChain) => done(null, { certificateChain, generation: this.generation }),
      (error: Error) => done(error),
    );
  };

  private async certify(request: Uint8Array): Promise<string> {
    const chain = await this.authority.issueFor(request, this.nodeId, this.certificateLifeMs);
    this.nodeKey = new X509Certificate(chain).publicKey;
    return chain;
  }

  private connect(stream: Stream): void {
    this.streams.add(stream);
    stream.on('data', (request: ConnectRequest) => request.frame !== undefined && this.receive(stream, request.frame));
    stream.on('end', () => stream.end());
    stream.on('error', () => undefined);
    stream.on('close', () => this.streams.delete(stream));
    stream.on('cancelled', () => this.streams.delete(stream));
  }

  private receive(stream: Stream, { frame }: AgentFrame): void {
    const answer = (reply: ServerFrame['frame']): void => void stream.write({ frame: { frame: reply } });
    switch (frame?.$case) {
      case 'hello':
        this.hellos.push(frame.value);
        return answer({ $case: 'welcome', value: { protocolVersion: 1, nodeId: this.nodeId, ...this.timers } });
      case 'heartbeat':
        this.heartbeats += 1;
        if (!this.acknowledgeHeartbeats) return;
        return answer({
          $case: 'heartbeatAck',
          value: { sequence: frame.value.sequence, renewedLeaseIds: frame.value.leases.map((lease) => lease.leaseId) },
        });
      case 'report':
        this.reports.push(frame.value);
        if (this.acknowledgeReports)
          answer({
            $case: 'reportAck',
            value: { reportId: frame.value.reportId, outcome: this.outcomeOf(frame.value), reason: '' },
          });
        return;
      case 'usage': {
        this.usage.push(frame.value);
        const block = UsageBlock.decode(frame.value.block);
        if (this.acknowledgeUsage)
          answer({
            $case: 'usageAck',
            value: { bootId: block.bootId, lastSequence: block.firstSequence + BigInt(block.ticks.length - 1) },
          });
        return;
      }
      case 'log': {
        const pieces = this.logs.get(frame.value.leaseId) ?? new Map<number, Buffer>();
        this.logs.set(frame.value.leaseId, pieces.set(Number(frame.value.offsetBytes), Buffer.from(frame.value.data)));
        return;
      }
      case undefined:
        throw new Error('the agent sent an empty frame');
    }
  }

  private readonly fetchBlob = (call: ServerWritableStream<FetchBlobRequest, FetchBlobResponse>): void => {
    const send = async (): Promise<void> => {
      let skip = Number(call.request.offsetBytes);
      for await (const chunk of this.blobs.fetch({ digest: `sha256:${call.request.sha256}` })) {
        const rest = chunk.subarray(Math.min(skip, chunk.length));
        skip -= chunk.length - rest.length;
        if (rest.length > 0) call.write({ chunk: Buffer.from(rest) });
      }
      call.end();
    };
    send().catch((error: Error) => call.emit('error', { code: status.NOT_FOUND, details: error.message }));
  };

  private readonly uploadArtifact = (
    call: ServerReadableStream<UploadArtifactRequest, UploadArtifactResponse>,
    done: sendUnaryData<UploadArtifactResponse>,
  ): void => {
    const chunks: Buffer[] = [];
    let expected = '';
    call.on('data', (request: UploadArtifactRequest) => {
      expected ||= request.header?.sha256 ?? '';
      chunks.push(request.chunk);
    });
    call.on('end', () => {
      const content = Buffer.concat(chunks);
      const sha256 = createHash('sha256').update(content).digest('hex');
      if (sha256 !== expected) return done({ code: status.INVALID_ARGUMENT, details: 'other content' });
      this.artifacts.set(sha256, content);
      done(null, { sha256 });
    });
  };
}
