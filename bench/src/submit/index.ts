import { Fleet, type SeenOffer } from './fleet';
import { openFleet, type FleetSettings } from './market';
import { platformClients, type PlatformClients, type PlatformPlace } from './platform-clients';
import { untilQuiet } from './quiet';
import { Submissions, type Customer } from './submissions';
import { wallMs } from './wall-clock';

export interface SubmitSettings extends FleetSettings {
  readonly rounds: number;
  readonly arrayRounds: number;
  readonly inFlight: number;
  readonly arraysInFlight: number;
  readonly arrayTasks: number;
  readonly closedLoopMs: number;
  readonly openLoopMs: number;
  readonly warmUpMs: number;
  readonly drainMs: number;
}

/** One value per round. */
export interface SubmitFigures {
  readonly submitsPerSecond: number[];
  readonly jobOffersPerSecond: number[];
  readonly jobsDonePerSecond: number[];
  readonly arrayTasksPerSecond: number[];
  readonly arrayOffersPerSecond: number[];
  readonly arrayTasksDonePerSecond: number[];
  readonly openLoopPerSecond: number[];
  readonly p50Ms: number[];
  readonly p99Ms: number[];
}

export interface Supply {
  /** Organisation that owns the nodes. */
  readonly providerOrganisationId: string;
  readonly customers: readonly Customer[];
}

/** Tasks per second. */
interface Rates {
  /** Acknowledged while the submitters were busy. */
  readonly tasksPerSecond: number;
  /** Whose offer was at an agent in that time. */
  readonly offersPerSecond: number;
  /** From the first submission until everything that the submissions brought was done. */
  readonly donePerSecond: number;
}

const inWords = ({ tasksPerSecond, offersPerSecond, donePerSecond }: Rates): string =>
  `${tasksPerSecond.toFixed(0)}/s acknowledged, ${offersPerSecond.toFixed(0)}/s offered, ${donePerSecond.toFixed(1)}/s done`;

type Log = (line: string) => void;

/** Connects the agents, then measures in rounds: saturation of jobs and latency at half of it; after those, arrays. */
export class SubmitBench {
  private readonly fleet = new Fleet();
  private readonly clients: PlatformClients;

  constructor(
    private readonly platform: PlatformPlace,
    private readonly supply: Supply,
    private readonly settings: SubmitSettings,
    private readonly log: Log,
  ) {
    this.clients = platformClients(platform);
  }

  async run(): Promise<SubmitFigures> {
    const { clients, settings, log } = this;
    await openFleet(this.fleet, clients, this.platform, this.supply.providerOrganisationId, settings, log);
    await this.untilQuoted();
    await this.saturate(1, settings.inFlight, settings.warmUpMs);
    const figures: SubmitFigures = {
      submitsPerSecond: [],
      jobOffersPerSecond: [],
      jobsDonePerSecond: [],
      arrayTasksPerSecond: [],
      arrayOffersPerSecond: [],
      arrayTasksDonePerSecond: [],
      openLoopPerSecond: [],
      p50Ms: [],
      p99Ms: [],
    };
    for (let round = 0; round < settings.rounds; round += 1) await this.jobRound(round, figures);
    // Last: Postgres cleans up behind their ten thousands of tasks for longer than anything here lasts.
    for (let round = 0; round < settings.arrayRounds; round += 1) await this.arrayRound(round, figures);
    log(`  agents: ${this.fleet.troubles()}`);
    return figures;
  }

  async stop(): Promise<void> {
    this.clients.close();
    await this.fleet.stop();
  }

  private async jobRound(round: number, figures: SubmitFigures): Promise<void> {
    const { settings, log } = this;
    const jobs = await this.saturate(1, settings.inFlight, settings.closedLoopMs);
    figures.submitsPerSecond.push(jobs.tasksPerSecond);
    figures.jobOffersPerSecond.push(jobs.offersPerSecond);
    figures.jobsDonePerSecond.push(jobs.donePerSecond);
    const perSecond = jobs.donePerSecond / 2;
    const latencies = await this.latencies(perSecond, round);
    figures.openLoopPerSecond.push(perSecond);
    figures.p50Ms.push(percentile(latencies, 50));
    figures.p99Ms.push(percentile(latencies, 99));
    log(
      `  round ${round + 1}: jobs ${inWords(jobs)}, ` +
        `at ${perSecond.toFixed(1)}/s p50 ${figures.p50Ms.at(-1)?.toFixed(1)} ms, p99 ${figures.p99Ms.at(-1)?.toFixed(1)} ms`,
    );
  }

  private async arrayRound(round: number, figures: SubmitFigures): Promise<void> {
    const { settings, log } = this;
    const arrays = await this.saturate(settings.arrayTasks, settings.arraysInFlight, settings.closedLoopMs);
    figures.arrayTasksPerSecond.push(arrays.tasksPerSecond);
    figures.arrayOffersPerSecond.push(arrays.offersPerSecond);
    figures.arrayTasksDonePerSecond.push(arrays.donePerSecond);
    log(`  round ${round + 1}: tasks of arrays ${inWords(arrays)}`);
  }

  private async saturate(taskCount: number, inFlight: number, ms: number): Promise<Rates> {
    const { fleet } = this;
    const submissions = this.submissions(taskCount);
    const [offersBefore, settledBefore] = [fleet.offers.length, fleet.settled];
    const beginMs = wallMs();
    await submissions.closedLoop(inFlight, ms);
    const seconds = (wallMs() - beginMs) / 1_000;
    const endMs = wallMs();
    const tasks = submissions.submitted.length * taskCount;
    const quietMs = await this.drain(submissions, settledBefore);
    const inTime = firstOffers(fleet.offers.slice(offersBefore)).filter(({ atMs }) => atMs <= endMs).length;
    return {
      tasksPerSecond: tasks / seconds,
      offersPerSecond: inTime / seconds,
      donePerSecond: (tasks / (quietMs - beginMs)) * 1_000,
    };
  }

  /** Milliseconds from when a submission was due until its offer was at the agent. */
  private async latencies(perSecond: number, seed: number): Promise<number[]> {
    const { fleet } = this;
    const submissions = this.submissions(1);
    const [offersBefore, settledBefore] = [fleet.offers.length, fleet.settled];
    await submissions.openLoop(perSecond, this.settings.openLoopMs, seededRandom(seed + 1));
    await this.drain(submissions, settledBefore);
    const offered = new Map(firstOffers(fleet.offers.slice(offersBefore)).map(({ jobId, atMs }) => [jobId, atMs]));
    return submissions.submitted.map(({ jobId, dueMs }) => {
      const atMs = offered.get(jobId);
      if (atMs === undefined) throw new Error(`job ${jobId} was acknowledged and never offered`);
      return atMs - dueMs;
    });
  }

  private submissions(taskCount: number): Submissions {
    return new Submissions(this.clients, this.supply.customers, taskCount);
  }

  /**
   * Every acknowledged task has run and is metered and paid for; else the next measurement would begin with a backlog.
   * Returns when that was. Throws when too few were taken.
   */
  private async drain(submissions: Submissions, settledBefore: number): Promise<number> {
    const { submitted, refusals, taskCount } = submissions;
    const refused = [...refusals.values()].reduce((sum, count) => sum + count, 0);
    if (refused > 0) this.log(`  refused: ${[...refusals].map(([why, count]) => `${count} × ${why}`).join(', ')}`);
    if (refused > submitted.length / 100) throw new Error(`${refused} of ${refused + submitted.length} were refused`);
    const tasks = submitted.length * taskCount;
    await this.fleet.until('the backlog', () => this.fleet.settled - settledBefore >= tasks, this.settings.drainMs);
    return untilQuiet(this.platform, this.settings.drainMs);
  }

  /** The scheduler has heard of the offers. */
  private async untilQuoted(): Promise<void> {
    const ready = async (): Promise<boolean> => {
      const probe = this.submissions(1);
      const settledBefore = this.fleet.settled;
      await probe.closedLoop(1, 1);
      if (probe.submitted.length === 0) return false;
      await this.drain(probe, settledBefore);
      return true;
    };
    await this.fleet.until('the first job', ready, this.settings.drainMs);
  }
}

/** The first offer of each task: a task that was placed again counts once. */
function firstOffers(offers: readonly SeenOffer[]): SeenOffer[] {
  const first = new Map<string, SeenOffer>();
  for (const offer of offers) {
    const key = `${offer.jobId}/${offer.taskIndex}`;
    const known = first.get(key);
    if (known === undefined || offer.atMs < known.atMs) first.set(key, offer);
  }
  return [...first.values()];
}

function percentile(values: readonly number[], percent: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)] ?? Number.NaN;
}

/** Numbers in [0, 1) that are the same for the same seed (mulberry32). */
function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
