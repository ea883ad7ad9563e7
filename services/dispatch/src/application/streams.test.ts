import { Clock, DomainError, timersAt } from '@daya/kernel';
import type { ServerFrame } from '../domain/frames';
import { CERTIFICATE_GRACE_MS, CERTIFICATE_RECHECK_MS, OUTBOX_FRAMES_MAX } from '../domain/limits';
import { AgentDirectory } from './agent-directory';
import { AgentStream } from './agent-stream';
import { Certificates } from './certificates';
import { Counters, Registry, type CertificateId, type CertificateState } from './ports';
import { WatchStreams } from './watch-streams';

class TestClock extends Clock {
  nowMs = 1_000_000;
  override now(): Date {
    return new Date(this.nowMs);
  }
}

class NoCounters extends Counters {
  override agents(): void {}
  override frame(): void {}
  override dropped(): void {}
  override report(): void {}
  override offer(): void {}
  override streamEnded(): void {}
  override failed(): void {}
}

class TestRegistry extends Registry {
  asked = 0;
  calls = 0;
  answer: () => Promise<CertificateState> = () =>
    Promise.resolve({ valid: true, publicKey: new Uint8Array(32), emulated: false });
  override checkCertificates(certificates: readonly CertificateId[]): Promise<CertificateState[]> {
    this.calls += 1;
    this.asked += certificates.length;
    return Promise.all(
      certificates.map(async ({ nodeId }) => ({ ...(await this.answer()), publicKey: Buffer.from(nodeId) })),
    );
  }
  override enrol(): never {
    throw new Error('not asked');
  }
  override renew(): never {
    throw new Error('not asked');
  }
  override reportInventory(): never {
    throw new Error('not asked');
  }
}

const timers = timersAt(1);
const ack: ServerFrame = { kind: 'usage-ack', bootId: '', lastSequence: 1n };

function aWorld(agentsMax = 10) {
  const clock = new TestClock();
  const registry = new TestRegistry();
  const counters = new NoCounters();
  const certificates = new Certificates(registry, clock);
  const directory = new AgentDirectory(agentsMax, counters);
  const watch = new WatchStreams(directory, certificates, counters, timers, clock);
  const node = (nodeId = 'n', lifeMs = 86_400_000) => ({
    nodeId,
    generation: 1,
    expireTime: new Date(clock.nowMs + lifeMs),
  });
  const open = (nodeId = 'n', lifeMs?: number): AgentStream => {
    const stream = new AgentStream(node(nodeId, lifeMs), false, clock.nowMs);
    stream.session = { ...stream.session, phase: 'open' };
    directory.add(stream);
    return stream;
  };
  const pass = async (ms: number): Promise<void> => {
    clock.nowMs += ms;
    watch.tick();
    for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
  };
  return { clock, registry, certificates, directory, node, open, pass };
}

async function endOf(stream: AgentStream): Promise<string> {
  try {
    for await (const frame of stream.frames()) expect(frame).toBeDefined();
    return 'ended';
  } catch (error) {
    return (error as DomainError).reason;
  }
}

test('frames come out in order, and an end lets what was sent go first', async () => {
  const { open } = aWorld();
  const stream = open();
  stream.send(ack);
  stream.send({ ...ack, lastSequence: 2n });
  stream.end();
  stream.send({ ...ack, lastSequence: 3n });
  const seen: unknown[] = [];
  for await (const frame of stream.frames()) seen.push(frame.kind === 'usage-ack' && frame.lastSequence);
  expect(seen).toEqual([1n, 2n]);
});

test('an agent that does not take its frames is let go', async () => {
  const stream = aWorld().open();
  for (let count = 0; count <= OUTBOX_FRAMES_MAX; count += 1) stream.send(ack);
  expect(await endOf(stream)).toBe('AGENT_TOO_SLOW');
});

test('a silent stream ends, and so does one without hello', async () => {
  const { open, pass, directory, node, clock } = aWorld();
  const silent = open('a');
  const mute = new AgentStream(node('b'), false, clock.nowMs);
  directory.add(mute);
  await pass(timers.heartbeatMs + 1);
  expect([silent.isOpen, mute.isOpen]).toEqual([true, false]);
  await pass(timers.selfFenceMs);
  expect([await endOf(silent), await endOf(mute)]).toEqual(['STREAM_SILENT', 'HELLO_EXPECTED']);
});

test('there are never more agents than the limit, and none after the end has begun', async () => {
  const { open, directory } = aWorld(2);
  const first = open('a');
  open('b');
  expect(() => open('c')).toThrow('no more agents');
  expect(open('a').isOpen).toBe(true);
  expect(await endOf(first)).toBe('CONNECTED_AGAIN');
  directory.remove(first);
  expect(directory.all()).toHaveLength(2);
  directory.close('elsewhere:1');
  expect(() => open('b')).toThrow('connect elsewhere');
});

test('a stream ends when its certificate is revoked or expires', async () => {
  const { open, pass, registry } = aWorld();
  const [revoked, expiring] = [open('a'), open('b', 10_000)];
  await pass(CERTIFICATE_RECHECK_MS);
  expect([revoked.isOpen, expiring.isOpen, registry.asked]).toEqual([true, true, 2]);
  revoked.lastFrameMs = expiring.lastFrameMs += 60_000;
  await pass(10_000);
  expect(await endOf(expiring)).toBe('CERTIFICATE_EXPIRED');
  registry.answer = () => Promise.resolve({ valid: false, publicKey: new Uint8Array(), emulated: false });
  await pass(CERTIFICATE_RECHECK_MS);
  expect(await endOf(revoked)).toBe('CERTIFICATE_REVOKED');
});

test('while registry is down the last good answer holds for a while, and nobody new comes in', async () => {
  const { certificates, clock, registry, node } = aWorld();
  await certificates.refuseRevoked(node());
  registry.answer = () => Promise.reject(new DomainError('unavailable', 'DOWN', 'down'));
  clock.nowMs += CERTIFICATE_GRACE_MS - 1;
  await certificates.recheck(node());
  await expect(certificates.refuseRevoked(node())).rejects.toMatchObject({ reason: 'DOWN' });
  await expect(certificates.recheck(node('other'))).rejects.toMatchObject({ reason: 'DOWN' });
  clock.nowMs += 1;
  await expect(certificates.recheck(node())).rejects.toMatchObject({ reason: 'DOWN' });
});

test('a thousand open streams share their questions, each of which has its own answer', async () => {
  const { certificates, registry, node } = aWorld();
  const ids = Array.from({ length: 1_000 }, (_, index) => `n${index}`);
  await Promise.all(ids.map((nodeId) => certificates.recheck(node(nodeId))));
  expect([registry.asked, registry.calls <= 12]).toEqual([1_000, true]);
  const states = await Promise.all(ids.map((nodeId) => certificates.publicKey(nodeId, 1)));
  expect(new Set(states.map((key) => Buffer.from(key).toString()))).toEqual(new Set(ids));
});

test('many who ask at once cost one question', async () => {
  const { certificates, registry, node } = aWorld();
  await Promise.all(Array.from({ length: 20 }, () => certificates.refuseRevoked(node())));
  await certificates.publicKey('n', 1);
  expect(registry.asked).toBe(1);
});
