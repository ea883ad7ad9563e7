import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type DataSources, ScopedTransactions, createDataSources } from '@daya/postgres';
import { FakeClock, SequentialIds, testDatabase, type TestDatabase } from '@daya/testing';
import { FolderPublication } from '../src/adapters/files/folder-publication';
import type { IncomingCharge, InputChange, OfferVersion } from '../src/adapters/kafka/input-events';
import { insertChange } from '../src/adapters/postgres/input-tables';
import { MIGRATIONS } from '../src/adapters/postgres/migrations';
import { PostgresEpochStore } from '../src/adapters/postgres/postgres-epoch-store';
import { CloseEpoch } from '../src/application/close-epoch';
import { InputPositions, type EpochStore } from '../src/application/ports';
import { PublishEpochs } from '../src/application/publish-epochs';
import type { NodeVersion } from '../src/domain/device-facts';
import { REWARD_ASSETS } from '../src/domain/epoch-inputs';
import { epochStart, type Parameters } from '../src/domain/parameters';
import { someParameters } from './epoch-builder';

/** Inputs that a test lets through or holds back. */
export class SettablePositions extends InputPositions {
  hasPassed = true;
  override passed(): Promise<boolean> {
    return Promise.resolve(this.hasPassed);
  }
}

export const FIRST_EPOCH = 100n;

/** The use cases of epochs over a real database of their own, a clock that stands still, and a publication folder. */
export class EpochHarness {
  readonly clock = new FakeClock();
  readonly positions = new SettablePositions();
  readonly folder = mkdtempSync(join(tmpdir(), 'daya-rewards-'));

  private replicas = 0;

  private constructor(
    readonly database: TestDatabase,
    readonly sources: DataSources,
    readonly parameters: Parameters,
  ) {}

  static async open(parameters = someParameters()): Promise<EpochHarness> {
    const database = await testDatabase('rewards', MIGRATIONS);
    const sources = await createDataSources({
      url: database.url,
      systemUrl: database.systemUrl,
      applicationName: 'rewards-test',
    }).open();
    const harness = new EpochHarness(database, sources, parameters);
    harness.atEpoch(FIRST_EPOCH);
    await harness.store().beginChains(FIRST_EPOCH, parameters.genesisTime, parameters.epochSeconds);
    return harness;
  }

  async close(): Promise<void> {
    await this.sources.close();
    await this.database.drop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** One replica's store, with ids of its own. */
  store(): EpochStore {
    this.replicas += 1;
    return new PostgresEpochStore(new ScopedTransactions(this.sources), new SequentialIds(this.replicas));
  }

  closer(store: EpochStore = this.store()): CloseEpoch {
    return new CloseEpoch(store, this.positions, this.clock, this.parameters);
  }

  publisher(store: EpochStore): PublishEpochs {
    return new PublishEpochs(store, new FolderPublication(this.folder));
  }

  startMs(epoch: bigint): number {
    return Number(epochStart(this.parameters, epoch)) * 1_000;
  }

  atEpoch(epoch: bigint): void {
    this.clock.set(new Date(this.startMs(epoch)));
  }

  /** Moves the clock until `epoch` is due, and closes and publishes everything up to it. */
  async closeThrough(epoch: bigint, store = this.store()): Promise<void> {
    this.clock.set(new Date(this.startMs(epoch + 1n) + Number(this.parameters.graceSeconds) * 1_000));
    for (const asset of REWARD_ASSETS) while (await this.closer(store).execute(asset));
    await this.publisher(store).execute();
  }

  apply(...changes: readonly InputChange[]): Promise<void> {
    return new ScopedTransactions(this.sources).run('system', async (em) => {
      for (const change of changes) await insertChange(em, change);
    });
  }

  rows<T>(sql: string, values: readonly unknown[] = []): Promise<T[]> {
    return this.sources.system.query<T[]>(sql, [...values]);
  }

  /** A node that is ONLINE and offered from the start of an epoch on. */
  onlineNode(over: Partial<NodeVersion> = {}, epoch = FIRST_EPOCH): readonly InputChange[] {
    const node: NodeVersion = {
      nodeId: 'node-1',
      version: 1n,
      changeTimeMs: this.startMs(epoch) - 1_000,
      providerId: 'provider-1',
      rewardAddress: '',
      region: 'eu-central',
      emulated: true,
      online: true,
      ineligibleReason: '',
      gpus: [{ gpuClass: 'rtx-4090', count: 2, mscuPerGpu: 1_000 }],
      ...over,
    };
    const offers = node.gpus.map(({ gpuClass }): InputChange => ({
      kind: 'offer',
      offer: this.offer(node.nodeId, gpuClass, node.changeTimeMs),
    }));
    return [{ kind: 'node', node }, ...offers];
  }

  offer(nodeId: string, gpuClass: string, changeTimeMs: number, over: Partial<OfferVersion> = {}): OfferVersion {
    return { offerId: `offer-${nodeId}-${gpuClass}`, version: 1n, changeTimeMs, nodeId, gpuClass, open: true, ...over };
  }

  charge(epoch: bigint, over: Partial<IncomingCharge> = {}): InputChange {
    const charge: IncomingCharge = {
      charge: 'charge-1',
      postTimeMs: this.startMs(epoch) + 5_000,
      asset: 'DAYA_TEST',
      job: 'job-1',
      account: 'provider-1',
      nodeId: 'node-1',
      gpuClass: 'rtx-4090',
      moneyAsset: 'USD',
      feeMicros: 1_000n,
      billableMs: 5_000n,
      gpuMilli: 1_000n,
      ...over,
    };
    return { kind: 'charge', charge };
  }
}
