import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freshRegion, openDemand, openSupply, type Party, type Supply } from '../market';
import type { Platform, ServiceName } from '../platform';
import { AcknowledgedList, type Acknowledged } from './acknowledged-list';
import { LoadClient, SERVICES } from './load-client';
import { seeded, type Random } from './random';
import { counts, killRound, type Round, type Struck } from './rounds';

/** A round that does not count is done again, with another seed, at most this often. */
const AGAIN_MAX = 3;

/** One customer's load on nodes of its own, the blows that fall while it runs, and what it was promised meanwhile. */
export class Campaign {
  readonly rounds: Round[] = [];
  private readonly unfinished: Promise<Round>[] = [];
  private readonly draw: Random;
  private struck = 0;

  private constructor(
    private readonly platform: Platform,
    readonly customer: Party,
    private readonly supply: Supply,
    readonly load: LoadClient,
    private readonly list: AcknowledgedList,
    private readonly folder: string,
    seed: number,
  ) {
    this.draw = seeded(seed);
  }

  static async open(platform: Platform, seed: number): Promise<Campaign> {
    const region = freshRegion();
    const [customer, supply] = await Promise.all([
      openDemand(platform, '1000000000'),
      openSupply(platform, region, [{ gpus: 2 }, { gpus: 2 }]),
    ]);
    const folder = mkdtempSync(join(tmpdir(), 'daya-acknowledged-'));
    const list = new AcknowledgedList(join(folder, 'acknowledged.jsonl'));
    const load = new LoadClient(platform, customer, region, list, seeded(seed));
    load.start();
    return new Campaign(platform, customer, supply, load, list, folder, seed);
  }

  /**
   * Kills services in turn until `kills` rounds have counted. The next blow does not wait for the jobs of the last, and
   * with several `lanes` not even for its heal: so many services may be down at the same time.
   */
  async kill(kills: number, lanes = 1): Promise<void> {
    const down = new Set<ServiceName>();
    let begun = 0;
    const lane = async (): Promise<void> => {
      while (begun < kills) {
        const turn = begun;
        begun += 1;
        const service = [...SERVICES.slice(turn % SERVICES.length), ...SERVICES].find((one) => !down.has(one));
        if (service === undefined) throw new Error('every service is down');
        down.add(service);
        await this.killUntilItCounts(service);
        down.delete(service);
      }
    };
    await Promise.all(Array.from({ length: lanes }, lane));
  }

  /** Another blow than a kill: an outage of a server. */
  async strike(blow: (round: number) => Promise<Struck>): Promise<void> {
    this.await(await blow(this.nextRound()));
  }

  /** Waits for what was promised before each heal; rejects with the first promise that was not kept in time. */
  async finish(): Promise<void> {
    const settled = await Promise.allSettled(this.unfinished.splice(0));
    this.rounds.push(...settled.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : [])));
    const failure = settled.find((one) => one.status === 'rejected');
    if (failure !== undefined) throw failure.reason;
  }

  acknowledged(): Acknowledged[] {
    return this.list.read();
  }

  async close(): Promise<void> {
    await this.load.stop();
    await Promise.all(this.supply.agents.map((agent) => agent.stop()));
    this.list.close();
    rmSync(this.folder, { recursive: true, force: true });
  }

  private async killUntilItCounts(service: ServiceName): Promise<void> {
    for (let attempt = 0; ; attempt += 1) {
      const seed = Math.floor(this.draw() * 0x7fff_ffff);
      const struck = await killRound(this.platform, this.load, service, { round: this.nextRound(), seed });
      this.await(struck);
      if (counts(struck)) return;
      if (attempt === AGAIN_MAX) throw new Error(`no round of ${service} counted: ${JSON.stringify(struck)}`);
    }
  }

  private await(struck: Struck): void {
    const { finished, ...blow } = struck;
    const round = finished.then((finishMs): Round => ({ ...blow, finishMs }));
    round.catch(() => undefined);
    this.unfinished.push(round);
  }

  private nextRound(): number {
    return (this.struck += 1);
  }
}
