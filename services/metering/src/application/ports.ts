import type { Scope } from '@daya/kernel';
import type { Lease } from '../domain/lease';
import type { Tick, TickRefusal } from '../domain/tick';
import type { AgentWord, UsageWindow } from '../domain/usage';
import type { UsageRecord } from '../domain/usage-record';

/** Everything one transaction may touch. */
export interface Transaction {
  readonly leases: Leases;
  readonly ticks: Ticks;
  readonly nodes: Nodes;
  readonly usage: Usage;
}

export interface LeaseRow extends Lease {
  readonly gpuModelId: string;
  /** When something of it is due without any news; undefined: never. */
  readonly dueMs: number | undefined;
}

export interface Leases {
  /** Locks a lease; undefined when it was never heard of. */
  lock(leaseId: string): Promise<LeaseRow | undefined>;
  /** Stores a lease, or what is new of it. */
  save(lease: LeaseRow): Promise<void>;
  /** Rates the node's leases that were granted before anybody had heard of its ratings, and what was recorded of them. */
  rate(nodeId: string): Promise<void>;
  /** When something of this lease is due again without any news; undefined: settled. */
  schedule(leaseId: string, dueMs: number | undefined): Promise<void>;
  /** Leases that are due, oldest first. */
  due(nowMs: number, limit: number): Promise<string[]>;
}

export interface Ticks {
  /** The highest accepted counter of a lease and when its newest tick came. */
  word(leaseId: string): Promise<AgentWord>;
  /** Adds a tick as waiting. `known`: the same tick was here before; `reused`: another one has its place. */
  add(tick: Tick): Promise<'added' | 'known' | 'reused'>;
  accept(tick: Tick): Promise<void>;
  refuse(tick: Tick, reason: TickRefusal): Promise<void>;
  /** Ticks that wait for news of this lease, in order, locked. */
  waiting(leaseId: string): Promise<Tick[]>;
  /** Accepted ticks of a lease that were received after a moment. */
  acceptedAfter(leaseId: string, receivedAfterMs: number): Promise<Tick[]>;
  /** Refuses ticks whose lease did not come within the patience; returns how many. */
  giveUp(receivedBeforeMs: number, limit: number): Promise<number>;
}

export interface Nodes {
  /** Raw Ed25519 key of a node's certificate generation; undefined while it is not known. */
  key(
    nodeId: string,
    generation: number,
  ): Promise<{ readonly publicKey: Uint8Array; readonly revokedMs: number | undefined } | undefined>;
  saveKey(nodeId: string, generation: number, publicKey: Uint8Array): Promise<void>;
  /** Whatever its keys known so far signed counts nothing from that moment on. */
  revoke(nodeId: string, timeMs: number): Promise<void>;
  saveRatings(nodeId: string, mscuByGpuModel: Readonly<Record<string, number>>): Promise<void>;
  /** mSCU of one GPU of a model on a node; 0 when nobody rated it. */
  rating(nodeId: string, gpuModelId: string): Promise<number>;
  /** Keeps a block until the key that signed it is known. */
  park(block: SignedBlock): Promise<void>;
  /** Takes the blocks that waited for a key. */
  unpark(nodeId: string, generation: number): Promise<SignedBlock[]>;
}

/** A block of ticks as its agent signed it. */
export interface SignedBlock {
  readonly nodeId: string;
  readonly generation: number;
  readonly block: Uint8Array;
  readonly signature: Uint8Array;
  readonly receiveMs: number;
}

export interface Usage {
  windows(leaseId: string): Promise<UsageWindow[]>;
  /** Stores a window and announces it. */
  record(record: UsageRecord): Promise<void>;
  /** Opens a discrepancy, or brings the lease's open one up to date, and announces it. */
  dispute(lease: Lease, schedulerMs: bigint, agentMs: bigint, chargedMs: bigint): Promise<void>;
  /** Takes a lease's discrepancy back, if it has one. */
  withdrawDispute(leaseId: string): Promise<void>;
}

export abstract class Store {
  /** One transaction of the platform's own scope; run again on deadlocks. */
  abstract transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T>;
}

/** Reads a block's ticks, and whether its signature holds. */
export abstract class BlockReader {
  abstract verify(block: SignedBlock, publicKey: Uint8Array): boolean;
  /** The ticks in order. Throws `invalid` BLOCK_NOT_DECODABLE. */
  abstract read(block: SignedBlock): Tick[];
}

export interface RefusedTick {
  readonly tick: Tick;
  readonly reason: string;
}

export interface Discrepancy {
  readonly discrepancyId: string;
  readonly leaseId: string;
  readonly nodeId: string;
  readonly schedulerMs: bigint;
  readonly agentMs: bigint;
  readonly chargedMs: bigint;
  readonly createTime: Date;
}

export interface RecordedWindow {
  readonly usageId: string;
  readonly leaseId: string;
  readonly jobId: string;
  readonly organisationId: string;
  readonly providerOrganisationId: string;
  readonly nodeId: string;
  readonly window: UsageWindow;
  readonly schedulerMs: bigint;
  readonly agentMs: bigint;
  readonly billableMs: bigint;
  readonly mscuMs: bigint;
}

/** A page and where the next one starts; no `next` on the last. */
export interface Page<T> {
  readonly rows: readonly T[];
  readonly next: Readonly<Record<string, string>> | undefined;
}

export interface PageRequest {
  readonly size: number;
  readonly after: Readonly<Record<string, string>> | undefined;
}

/** Reads for screens. A scope sees what its organisation is a party of; `system` sees all. */
export abstract class MeteringQueries {
  /** By lease and window. */
  abstract usage(scope: Scope, jobId: string, page: PageRequest): Promise<Page<RecordedWindow>>;
  /** Newest first. */
  abstract discrepancies(scope: Scope, page: PageRequest): Promise<Page<Discrepancy>>;
  /** Newest first; of one node unless `nodeId` is empty. */
  abstract refusedTicks(nodeId: string, page: PageRequest): Promise<Page<RefusedTick>>;
}
