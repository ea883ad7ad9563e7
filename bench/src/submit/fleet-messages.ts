/** What the bench tells a process of agents. */
export interface FleetOrder {
  readonly enrolmentUrl: string;
  readonly caFile: string;
  /** One enrolment token per agent. */
  readonly tokens: readonly string[];
  /** Distinguishes the GPUs of this process's agents. */
  readonly name: string;
}

/** What a process of agents tells the bench, some times a second. */
export interface FleetReport {
  readonly enrolled: number;
  /** Job id, task index, wall-clock milliseconds at which the offer was at the agent. */
  readonly offers: readonly (readonly [string, number, number])[];
  /** Exits that the platform has taken since the last report. */
  readonly settled: number;
  readonly disturbances: Readonly<Record<string, number>>;
}
