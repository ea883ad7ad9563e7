import { createPrivateKey, createPublicKey, sign, verify, type JsonWebKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Server, status, type handleUnaryCall, type UntypedServiceImplementation } from '@grpc/grpc-js';
import { DomainError } from '@daya/kernel';
import { serverCredentials, toStatus } from '@daya/nest';
import * as billing from '@daya/proto/billing';
import * as registry from '@daya/proto/registry';
import type { TestIdentity } from '@daya/testing';

type Unary = UntypedServiceImplementation[string];

/** Serves a handler over the real proto, with the platform's TLS; a DomainError travels as billing would send it. */
const unary =
  <Req, Res>(handle: (request: Req) => Promise<Res>): handleUnaryCall<Req, Res> =>
  (call, callback) => {
    handle(call.request).then(
      (answer) => callback(null, answer),
      (error: unknown) =>
        callback(
          error instanceof DomainError
            ? { ...toStatus(error), name: 'refused', message: error.message }
            : { code: status.UNKNOWN, details: String(error) },
        ),
    );
  };

async function listen(
  identity: TestIdentity,
  name: string,
  services: readonly [object, UntypedServiceImplementation][],
): Promise<{ url: string; server: Server }> {
  const { TLS_FOLDER: folder } = identity.env(name);
  const read = (file: string): Buffer => readFileSync(`${folder}/${file}`);
  const server = new Server();
  for (const [definition, handlers] of services) server.addService(definition as never, handlers);
  const tls = { ca: read('ca.pem'), cert: read(`${name}.cert.pem`), key: read(`${name}.key.pem`) };
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', serverCredentials(tls, false), (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  return { url: `127.0.0.1:${port}`, server };
}

const refuseUnknown: handleUnaryCall<unknown, unknown> = (_call, callback) => callback({ code: status.UNIMPLEMENTED });
const unknownRpc: Unary = refuseUnknown;

/** Billing over its real proto: a wallet per organisation, holds by job id. */
export class FakeBilling {
  readonly wallets = new Map<string, bigint>();
  readonly holds = new Map<string, { organisationId: string; micros: bigint; released: boolean }>();
  placeHoldCalls = 0;
  /** Called before each PlaceHold; may wait or throw. */
  beforePlaceHold: () => Promise<void> = () => Promise.resolve();
  url = '';
  private server: Server | undefined;
  private readonly keyFile: string;

  constructor(private readonly identity: TestIdentity) {
    this.keyFile = identity.env('billing').IDENTITY_KEY_FILE;
  }

  async start(): Promise<this> {
    const handlers = Object.fromEntries(Object.keys(billing.BillingServiceService).map((name) => [name, unknownRpc]));
    const own = {
      ...handlers,
      priceQuote: unary((request: billing.PriceQuoteRequest) => this.priceQuote(request)),
      placeHold: unary((request: billing.PlaceHoldRequest) => this.placeHold(request)),
      releaseHold: unary((request: billing.ReleaseHoldRequest) => this.releaseHold(request)),
    };
    const { url, server } = await listen(this.identity, 'billing', [[billing.BillingServiceService, own]]);
    this.url = url;
    this.server = server;
    return this;
  }

  stop(): void {
    this.server?.forceShutdown();
  }

  private priceQuote({ requestId, tasks }: billing.PriceQuoteRequest): Promise<billing.PriceQuoteResponse> {
    const lines = tasks.map((task) => ({
      what: 'compute',
      ...task,
      amountMicros:
        (task.priceMicrosPerGpuHour * BigInt(task.gpuMilli) * BigInt(task.maxRunSeconds) * BigInt(task.taskCount)) /
        3_600_000n,
    }));
    const totalMicros = lines.reduce((sum, line) => sum + line.amountMicros, 0n);
    const quote = {
      quoteId: requestId,
      lines,
      totalMicros,
      feeBps: 500,
      feePolicyVersion: 'test',
      signature: Buffer.alloc(0),
    };
    return Promise.resolve({ quote: { ...quote, signature: sign(null, bytesOf(quote), this.key()) } });
  }

  private async placeHold({
    jobId,
    organisationId,
    quote,
    requestId,
  }: billing.PlaceHoldRequest): Promise<billing.PlaceHoldResponse> {
    this.placeHoldCalls += 1;
    await this.beforePlaceHold();
    if (requestId !== jobId || !quote) throw new DomainError('invalid', 'INVALID_FIELDS', 'a hold belongs to its job');
    const signed = verify(
      null,
      bytesOf({ ...quote, signature: Buffer.alloc(0) }),
      createPublicKey(this.key()),
      quote.signature,
    );
    if (!signed) throw new DomainError('invalid', 'QUOTE_SIGNATURE_INVALID', 'the quote was changed');
    if (!this.holds.has(jobId)) {
      const wallet = this.wallets.get(organisationId) ?? 0n;
      if (wallet < quote.totalMicros)
        throw new DomainError('precondition', 'INSUFFICIENT_FUNDS', 'the wallet does not have that much');
      this.wallets.set(organisationId, wallet - quote.totalMicros);
      this.holds.set(jobId, { organisationId, micros: quote.totalMicros, released: false });
    }
    return {};
  }

  private releaseHold({ jobId }: billing.ReleaseHoldRequest): Promise<billing.ReleaseHoldResponse> {
    const hold = this.holds.get(jobId);
    if (!hold) throw new DomainError('not-found', 'HOLD_NOT_FOUND', 'no such hold');
    if (!hold.released)
      this.wallets.set(hold.organisationId, (this.wallets.get(hold.organisationId) ?? 0n) + hold.micros);
    hold.released = true;
    return Promise.resolve({});
  }

  private key() {
    return createPrivateKey({ format: 'jwk', key: JSON.parse(readFileSync(this.keyFile, 'utf8')) as JsonWebKey });
  }
}

const bytesOf = (quote: billing.PricedQuote): Uint8Array => billing.PricedQuote.encode(quote).finish();

/** The registry's RPCs that the scheduler calls. */
export class FakeRegistry {
  readonly projects = new Map<string, string>();
  readonly connectivity = new Map<string, registry.Connectivity>();
  url = '';
  private server: Server | undefined;

  constructor(private readonly identity: TestIdentity) {}

  async start(): Promise<this> {
    const none = (definition: object): UntypedServiceImplementation =>
      Object.fromEntries(Object.keys(definition).map((name) => [name, unknownRpc]));
    const organisations = {
      ...none(registry.OrganisationServiceService),
      getProject: unary(({ projectId }: registry.GetProjectRequest) => {
        const organisationId = this.projects.get(projectId);
        if (organisationId === undefined)
          return Promise.reject(new DomainError('not-found', 'PROJECT_NOT_FOUND', 'project not found'));
        return Promise.resolve({ project: registry.Project.fromPartial({ projectId, organisationId }) });
      }),
    };
    const providers = {
      ...none(registry.ProviderServiceService),
      reportConnectivity: unary(({ nodes }: registry.ReportConnectivityRequest) => {
        for (const { nodeId, connectivity } of nodes) this.connectivity.set(nodeId, connectivity);
        return Promise.resolve({});
      }),
    };
    const { url, server } = await listen(this.identity, 'registry', [
      [registry.OrganisationServiceService, organisations],
      [registry.ProviderServiceService, providers],
    ]);
    this.url = url;
    this.server = server;
    return this;
  }

  stop(): void {
    this.server?.forceShutdown();
  }
}
