/** The frozen inputs of one epoch and asset, as published. Basis points are of 10,000; amounts are 1e-9 token. */
export interface Snapshot {
  readonly epoch: bigint;
  /** What was left of the supply reserve when the emission month began. */
  readonly reserveAtMonthStart: bigint;
  /** Thousandths of a standard compute unit, summed over eligible devices. */
  readonly activeMscu: bigint;
  readonly baselineMscu: bigint;
  readonly utilisationBps: bigint;
  /** Micro-USD per whole token, the high end of the oracle's range. */
  readonly priceHiMicros: bigint;
  /** Units of stake that cover one mSCU; 0 covers everything. */
  readonly stakePerMscu: bigint;
  readonly floorLicences: bigint;
  readonly classes: readonly ClassRow[];
  readonly devices: readonly DeviceRow[];
  readonly jobs: readonly JobRow[];
  readonly cells: readonly CellRow[];
  readonly licences: readonly LicenceRow[];
}

export interface ClassRow {
  readonly gpuClass: string;
  readonly subsidyMicrosPerScuHour: bigint;
  readonly paidMedianMicrosPerScuHour: bigint;
}

/** All GPUs of one class in one node. */
export interface DeviceRow {
  readonly device: string;
  readonly account: string;
  readonly gpuClass: string;
  /** Region and class; a cell that no row of `cells` names has no deficit. */
  readonly cell: string;
  readonly mscu: bigint;
  readonly qualityBps: bigint;
  readonly checks: bigint;
  readonly checksOk: bigint;
  readonly rampBps: bigint;
  readonly hiredBps: bigint;
  readonly stake: bigint;
  readonly eligible: boolean;
}

export interface JobRow {
  readonly job: string;
  readonly account: string;
  /** The protocol fee that was settled in real money, in micro-USD. */
  readonly feeMicros: bigint;
  readonly qualityBps: bigint;
  readonly lambdaBps: bigint;
}

export interface CellRow {
  readonly cell: string;
  readonly deficitMscu: bigint;
}

export interface LicenceRow {
  readonly licence: string;
  readonly owner: string;
  readonly operator: string;
  readonly commissionBps: bigint;
  readonly points: bigint;
}

export const BPS = 10_000n;
/** The fund for customers' compensation is paid like an account; nobody else may carry its name. */
export const INSURANCE_ACCOUNT = 'insurance';
