import { DomainError } from '@daya/kernel';
import * as fc from 'fast-check';
import { blockSettled, commonVersion, NEW_SESSION, receive, reportSettled, type AgentSession } from './agent-session';
import type { AgentFrame, Hello } from './frames';
import { BLOCKS_OUTSTANDING_MAX, PROTOCOL_VERSION, REPORTS_OUTSTANDING_MAX } from './limits';

const ID = '0197a0a0-0000-7000-8000-000000000001';
const aHello = (overrides: Partial<Hello> = {}): AgentFrame => ({
  kind: 'hello',
  hello: {
    protocolVersion: 1,
    agentVersion: '0.1.0',
    bootId: ID,
    emulated: true,
    inventory: new Uint8Array(),
    leases: [],
    draining: false,
    ...overrides,
  },
});
const aHeartbeat = (sequence: bigint): AgentFrame => ({
  kind: 'heartbeat',
  heartbeat: { sequence, leases: [], draining: false },
});
const aReport = (reportId: string): AgentFrame => ({
  kind: 'report',
  report: { reportId, leaseId: ID, leaseToken: 1n, body: { kind: 'running' } },
});
const aBlock: AgentFrame = {
  kind: 'usage',
  block: { block: new Uint8Array(), signature: new Uint8Array(), generation: 1 },
};
const aLog: AgentFrame = {
  kind: 'log',
  chunk: { leaseId: ID, leaseToken: 1n, offsetBytes: 0n, data: new Uint8Array(), cut: false, end: false },
};

const reasonOf = (work: () => unknown): string => {
  try {
    work();
    return 'none';
  } catch (error) {
    return error instanceof DomainError ? error.reason : String(error);
  }
};
const greeted = (): AgentSession => receive(NEW_SESSION, aHello()).session;

test('nothing but hello opens a stream', () => {
  for (const frame of [aHeartbeat(1n), aReport(ID), aBlock, aLog, { kind: 'unknown' } as const]) {
    expect(reasonOf(() => receive(NEW_SESSION, frame))).toBe('HELLO_EXPECTED');
  }
  expect(greeted().phase).toBe('open');
  expect(reasonOf(() => receive(greeted(), aHello()))).toBe('HELLO_REPEATED');
});

test('a hello that says too little is refused with every field', () => {
  const bad = aHello({
    bootId: 'x',
    inventory: undefined,
    agentVersion: 'v'.repeat(65),
    leases: [{ leaseId: ID, leaseToken: 0n }],
  });
  try {
    receive(NEW_SESSION, bad);
    throw new Error('was accepted');
  } catch (error) {
    const fields = (error as DomainError).violations.map(({ field }) => field);
    expect(fields).toEqual(['boot_id', 'inventory', 'agent_version', 'leases'].map((name) => `frame.hello.${name}`));
  }
});

test('newer agents speak our version, too old ones are told which we serve', () => {
  expect(commonVersion(PROTOCOL_VERSION + 5)).toBe(PROTOCOL_VERSION);
  expect(commonVersion(PROTOCOL_VERSION)).toBe(PROTOCOL_VERSION);
  expect(reasonOf(() => receive(NEW_SESSION, aHello({ protocolVersion: 0 })))).toBe('PROTOCOL_VERSION_UNSUPPORTED');
});

test('of any heartbeats only those with a rising sequence count', () => {
  fc.assert(
    fc.property(fc.array(fc.bigInt({ min: -5n, max: 30n })), (sequences) => {
      let session = greeted();
      let highest = 0n;
      for (const sequence of sequences) {
        const { session: next, drop } = receive(session, aHeartbeat(sequence));
        expect(drop).toBe(sequence > highest ? undefined : 'HEARTBEAT_REPLAYED');
        highest = sequence > highest ? sequence : highest;
        session = next;
      }
      expect(session.lastSequence).toBe(highest);
    }),
  );
});

test('a report is under way once, and never more than the limit of them', () => {
  const id = fc.integer({ min: 0, max: 200 }).map(String);
  const steps = fc.array(fc.oneof(fc.record({ send: id }), fc.record({ settle: id })), { maxLength: 300 });
  fc.assert(
    fc.property(steps, (list) => {
      let session = greeted();
      const open = new Set<string>();
      for (const step of list) {
        if ('settle' in step) {
          session = reportSettled(session, step.settle);
          open.delete(step.settle);
          continue;
        }
        const received = receive(session, aReport(step.send));
        const expected = open.has(step.send)
          ? 'REPORT_UNDER_WAY'
          : open.size >= REPORTS_OUTSTANDING_MAX
            ? 'REPORTS_OUTSTANDING'
            : undefined;
        expect(received.drop).toBe(expected);
        if (expected === undefined) open.add(step.send);
        session = received.session;
      }
      expect(session.reports).toEqual(open);
    }),
  );
});

test('usage blocks wait for Kafka up to a limit, then they are dropped and not blocked', () => {
  let session = greeted();
  for (let count = 0; count < BLOCKS_OUTSTANDING_MAX; count += 1) session = receive(session, aBlock).session;
  expect(receive(session, aBlock).drop).toBe('BLOCKS_OUTSTANDING');
  expect(receive(session, aHeartbeat(1n)).drop).toBeUndefined();
  expect(receive(blockSettled(session), aBlock).drop).toBeUndefined();
});

test('frames of a newer protocol are ignored', () => {
  expect(receive(greeted(), { kind: 'unknown' }).drop).toBe('FRAME_UNKNOWN');
});
