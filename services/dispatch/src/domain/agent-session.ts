import { DomainError, isUuid, refuseInvalid } from '@daya/kernel';
import type { AgentFrame, Heartbeat, HeldLease, Hello } from './frames';
import {
  BLOCKS_OUTSTANDING_MAX,
  HELD_LEASES_MAX,
  PROTOCOL_VERSION,
  PROTOCOL_VERSIONS_BACK,
  REPORTS_OUTSTANDING_MAX,
  VERSION_LENGTH_MAX,
} from './limits';
import { brokenRules, lengthRule, uuidRule } from './shapes';

/** One agent's stream. The node is the certificate's; nothing that the agent says changes it. */
export interface AgentSession {
  readonly phase: 'new' | 'open';
  readonly bootId: string;
  /** The highest heartbeat so far. */
  readonly lastSequence: bigint;
  /** Reports under way, by id: the same one is not sent to the scheduler twice at once. */
  readonly reports: ReadonlySet<string>;
  readonly blocksOutstanding: number;
}

export const NEW_SESSION: AgentSession = {
  phase: 'new',
  bootId: '',
  lastSequence: 0n,
  reports: new Set(),
  blocksOutstanding: 0,
};

/** Why a frame is left unanswered: the agent repeats it, or was wrong in a way that must not end its stream. */
export type DropReason =
  | 'HEARTBEAT_REPLAYED'
  | 'HEARTBEAT_INVALID'
  | 'REPORT_UNDER_WAY'
  | 'REPORTS_OUTSTANDING'
  | 'BLOCKS_OUTSTANDING'
  | 'FRAME_UNKNOWN';

export interface Received {
  readonly session: AgentSession;
  readonly drop: DropReason | undefined;
}

/**
 * Takes one frame. Throws `precondition` HELLO_EXPECTED, HELLO_REPEATED or PROTOCOL_VERSION_UNSUPPORTED, `invalid`
 * INVALID_FIELDS for a hello that says too little: the stream ends.
 */
export function receive(session: AgentSession, frame: AgentFrame): Received {
  if (session.phase === 'new') return { session: greet(session, frame), drop: undefined };
  switch (frame.kind) {
    case 'hello':
      throw new DomainError('precondition', 'HELLO_REPEATED', 'hello is the first frame only');
    case 'heartbeat':
      return receiveHeartbeat(session, frame.heartbeat);
    case 'report':
      return receiveReport(session, frame.report.reportId);
    case 'usage':
      if (session.blocksOutstanding >= BLOCKS_OUTSTANDING_MAX) return { session, drop: 'BLOCKS_OUTSTANDING' };
      return taken({ ...session, blocksOutstanding: session.blocksOutstanding + 1 });
    case 'log':
      return taken(session);
    case 'unknown':
      return { session, drop: 'FRAME_UNKNOWN' };
  }
}

const taken = (session: AgentSession): Received => ({ session, drop: undefined });

export function reportSettled(session: AgentSession, reportId: string): AgentSession {
  const reports = new Set(session.reports);
  reports.delete(reportId);
  return { ...session, reports };
}

export const blockSettled = (session: AgentSession): AgentSession => ({
  ...session,
  blocksOutstanding: session.blocksOutstanding - 1,
});

/** The version that both sides speak. Throws `precondition` PROTOCOL_VERSION_UNSUPPORTED. */
export function commonVersion(theirs: number): number {
  const oldest = Math.max(1, PROTOCOL_VERSION - PROTOCOL_VERSIONS_BACK);
  if (theirs >= oldest) return Math.min(theirs, PROTOCOL_VERSION);
  const metadata = { oldest: String(oldest), newest: String(PROTOCOL_VERSION) };
  throw new DomainError('precondition', 'PROTOCOL_VERSION_UNSUPPORTED', 'this agent is too old: update it', metadata);
}

function greet(session: AgentSession, frame: AgentFrame): AgentSession {
  if (frame.kind !== 'hello') throw new DomainError('precondition', 'HELLO_EXPECTED', 'the first frame must be hello');
  commonVersion(frame.hello.protocolVersion);
  refuseIncomplete(frame.hello);
  return { ...session, phase: 'open', bootId: frame.hello.bootId };
}

function refuseIncomplete({ bootId, inventory, agentVersion, leases }: Hello): void {
  refuseInvalid(
    brokenRules([
      uuidRule('frame.hello.boot_id', bootId),
      ['frame.hello.inventory', inventory !== undefined, 'REQUIRED', 'is required'],
      lengthRule('frame.hello.agent_version', agentVersion.length, 0, VERSION_LENGTH_MAX),
      ['frame.hello.leases', areLeases(leases), 'MALFORMED', `at most ${HELD_LEASES_MAX}, each with id and token`],
    ]),
  );
}

function receiveHeartbeat(session: AgentSession, heartbeat: Heartbeat): Received {
  if (heartbeat.sequence <= session.lastSequence) return { session, drop: 'HEARTBEAT_REPLAYED' };
  if (!areLeases(heartbeat.leases)) return { session, drop: 'HEARTBEAT_INVALID' };
  return taken({ ...session, lastSequence: heartbeat.sequence });
}

function receiveReport(session: AgentSession, reportId: string): Received {
  if (session.reports.has(reportId)) return { session, drop: 'REPORT_UNDER_WAY' };
  if (session.reports.size >= REPORTS_OUTSTANDING_MAX) return { session, drop: 'REPORTS_OUTSTANDING' };
  return taken({ ...session, reports: new Set(session.reports).add(reportId) });
}

const areLeases = (leases: readonly HeldLease[]): boolean =>
  leases.length <= HELD_LEASES_MAX && leases.every(({ leaseId, leaseToken }) => isUuid(leaseId) && leaseToken > 0n);
