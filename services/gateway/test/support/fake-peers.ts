import type { Type } from '@nestjs/common';
import { z } from 'zod';
import { DomainError } from '@daya/kernel';
import { baseConfigShape, GrpcService, loadConfig, type CallContext, type ServiceDefinition } from '@daya/nest';
import { BillingServiceService } from '@daya/proto/billing';
import { DispatchServiceService } from '@daya/proto/dispatch';
import { MeteringServiceService } from '@daya/proto/metering';
import { OfferServiceService, OrganisationServiceService, ProviderServiceService } from '@daya/proto/registry';
import { RewardsServiceService } from '@daya/proto/rewards';
import { SchedulerServiceService } from '@daya/proto/scheduler';
import { startTestService, testEnvironment, type TestIdentity, type TestService } from '@daya/testing';

const PEER_SERVICES = {
  registry: [OrganisationServiceService, OfferServiceService, ProviderServiceService],
  scheduler: [SchedulerServiceService],
  dispatch: [DispatchServiceService],
  metering: [MeteringServiceService],
  billing: [BillingServiceService],
  rewards: [RewardsServiceService],
} as const;
export type PeerName = keyof typeof PEER_SERVICES;
export const PEER_NAMES = Object.keys(PEER_SERVICES) as PeerName[];

export interface SeenCall {
  readonly path: string;
  readonly request: unknown;
  readonly context: CallContext;
}

type AnyHandler = (request: never, context: CallContext) => unknown;

/** Real gRPC servers over the real protos; what they answer is each test's own. */
export class FakePeers {
  readonly seen: SeenCall[] = [];
  readonly services: Partial<Record<PeerName, TestService>> = {};
  private readonly handlers = new Map<string, AnyHandler>();

  constructor(readonly identity: TestIdentity) {}

  /** `handle(OrganisationServiceService.getProject, (request) => …)` */
  handle<M extends ServiceDefinition[string]>(
    method: M,
    handler: (
      request: M['requestStream'] extends true
        ? AsyncIterable<ReturnType<M['requestDeserialize']>>
        : ReturnType<M['requestDeserialize']>,
      context: CallContext,
    ) => unknown,
  ): void {
    this.handlers.set(method.path, handler as AnyHandler);
  }

  async start(): Promise<void> {
    await Promise.all(PEER_NAMES.map((name) => this.startOne(name)));
  }

  async startOne(name: PeerName, port = 0): Promise<void> {
    const definitions: readonly ServiceDefinition[] = PEER_SERVICES[name];
    const env = {
      ...testEnvironment({ service: name, identity: this.identity, more: { LOG_LEVEL: 'fatal' } }),
      GRPC_PORT: String(port),
    };
    const config = loadConfig(z.object(baseConfigShape), env);
    class FakeModule {}
    const module = { module: FakeModule, controllers: definitions.map((one) => this.controllerOf(one)) };
    this.services[name] = await startTestService({ name, config, module, grpc: definitions });
  }

  url(name: PeerName): string {
    return this.services[name]?.url ?? '';
  }

  async stop(): Promise<void> {
    await Promise.all(Object.values(this.services).map((service) => service.stop()));
  }

  private controllerOf(definition: ServiceDefinition): Type {
    class FakeController {}
    for (const [name, { path }] of Object.entries(definition)) {
      const value = (request: unknown, context: CallContext): unknown => {
        this.seen.push({ path, request, context });
        const handler = this.handlers.get(path);
        if (handler === undefined) throw new DomainError('precondition', 'NOT_FAKED', `no fake answers ${path}`);
        return handler(request as never, context);
      };
      Object.defineProperty(FakeController.prototype, name, { configurable: true, writable: true, value });
    }
    GrpcService(definition, [])(FakeController as never);
    return FakeController;
  }
}
