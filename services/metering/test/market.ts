import { randomUUID } from 'node:crypto';
import { ensureTopics, toWire, type Kafka, type KafkaPublisher } from '@daya/messaging';
import { toTimestamp } from '@daya/proto';
import { UsageBlock, UsageBlockReceived, type UsageTick } from '@daya/proto/dispatch';
import { NodeCertified, NodeRevoked } from '@daya/proto/registry';
import { LeaseEnded, LeaseGranted, LeaseStarted, LeaseTerms, RunState } from '@daya/proto/scheduler';
import type { TestNode } from '@daya/testing';

const TOPICS = ['daya.scheduler.leases', 'daya.registry.nodes', 'daya.usage.ticks', 'daya.metering.usage'];
const TTL_MS = 60_000;

/** Plays the scheduler, the registry and dispatch towards the meter, on real Kafka. */
export class Market {
  private readonly versions = new Map<string, bigint>();
  private publisher: KafkaPublisher | undefined;

  constructor(private readonly kafka: Kafka) {}

  async open(): Promise<void> {
    await ensureTopics(
      this.kafka,
      TOPICS.map((name) => ({ name, partitions: 2 })),
    );
    this.publisher = this.kafka.producer();
    await this.publisher.start();
  }

  async close(): Promise<void> {
    await this.publisher?.stop();
  }

  async send(topic: string, key: string, type: string, payload: Uint8Array, versioned = true): Promise<void> {
    const version = (this.versions.get(topic + key) ?? 0n) + 1n;
    if (versioned) this.versions.set(topic + key, version);
    const event = {
      id: randomUUID(),
      type,
      key,
      payload,
      aggregateVersion: versioned ? version : undefined,
      time: new Date(),
      source: 'test',
      headers: {},
    };
    await this.publisher?.publish(topic, [toWire(event)]);
  }

  certify(nodeId: string, node: TestNode): Promise<void> {
    const payload = NodeCertified.encode({ nodeId, generation: 1, publicKey: Buffer.from(node.publicKey) }).finish();
    return this.send('daya.registry.nodes', nodeId, NodeCertified.$type, payload);
  }

  revoke(nodeId: string): Promise<void> {
    return this.send(
      'daya.registry.nodes',
      nodeId,
      NodeRevoked.$type,
      NodeRevoked.encode({ nodeId, reason: 'test' }).finish(),
    );
  }

  granted(terms: LeaseTerms, grantMs: number): Promise<void> {
    const event = { terms, grantTime: at(grantMs), expireTime: at(grantMs + TTL_MS) };
    return this.send('daya.scheduler.leases', terms.leaseId, LeaseGranted.$type, LeaseGranted.encode(event).finish());
  }

  started(terms: LeaseTerms, startMs: number): Promise<void> {
    const event = { terms, grantTime: at(startMs - 100), startTime: at(startMs), expireTime: at(startMs + TTL_MS) };
    return this.send('daya.scheduler.leases', terms.leaseId, LeaseStarted.$type, LeaseStarted.encode(event).finish());
  }

  ended(terms: LeaseTerms, startMs: number, endMs: number, state: RunState = RunState.SUCCEEDED): Promise<void> {
    const event = LeaseEnded.fromPartial({
      terms,
      startTime: at(startMs),
      endTime: at(endMs),
      expireTime: at(Math.max(endMs, startMs + TTL_MS)),
      runState: state,
      reason: 'EXITED',
    });
    return this.send('daya.scheduler.leases', terms.leaseId, LeaseEnded.$type, LeaseEnded.encode(event).finish());
  }

  async ticks(
    nodeId: string,
    signer: TestNode,
    block: { bootId: string; firstSequence: bigint; ticks: UsageTick[]; receiveMs: number },
  ): Promise<void> {
    const bytes = UsageBlock.encode({
      nodeId,
      bootId: block.bootId,
      firstSequence: block.firstSequence,
      ticks: block.ticks,
    }).finish();
    const signedBlock = { block: Buffer.from(bytes), signature: Buffer.from(await signer.sign(bytes)), generation: 1 };
    const payload = UsageBlockReceived.encode({ nodeId, receiveTime: at(block.receiveMs), signedBlock }).finish();
    await this.send('daya.usage.ticks', nodeId, UsageBlockReceived.$type, payload, false);
  }
}

const at = (ms: number) => toTimestamp(new Date(ms));

export const aLease = (nodeId: string, overrides: Partial<LeaseTerms> = {}): LeaseTerms =>
  LeaseTerms.fromPartial({
    leaseId: randomUUID(),
    leaseToken: 5n,
    nodeId,
    providerId: randomUUID(),
    providerOrganisationId: randomUUID(),
    organisationId: randomUUID(),
    projectId: randomUUID(),
    jobId: randomUUID(),
    gpuModelId: 'rtx-4090',
    gpuMilli: 1_000,
    priceMicrosPerGpuHour: 390_000n,
    ...overrides,
  });

export const aTick = (lease: LeaseTerms, cumulativeMs: number, final = false): UsageTick => ({
  leaseId: lease.leaseId,
  leaseToken: lease.leaseToken,
  cumulativeMs: BigInt(cumulativeMs),
  agentTime: undefined,
  final,
});
