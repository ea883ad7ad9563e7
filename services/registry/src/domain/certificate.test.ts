import * as fc from 'fast-check';
import {
  CERTIFICATE_LIFE_MS,
  decideRenewal,
  HANDOVER_MS,
  isCurrent,
  RENEWAL_GRACE_MS,
  renewalMessage,
  type NodeCertificate,
} from './certificate';

const NOW = new Date('2026-01-01T00:00:00Z');
const after = (ms: number): Date => new Date(NOW.getTime() + ms);

const aCertificate = (overrides: Partial<NodeCertificate> = {}): NodeCertificate => ({
  nodeId: '0197a0a0-0000-7000-8000-000000000009',
  generation: 1,
  publicKey: '00'.repeat(32),
  certificateChain: 'pem',
  requestHash: 'first',
  issueTime: NOW,
  expireTime: after(CERTIFICATE_LIFE_MS),
  ...overrides,
});

test('the first renewal of a generation is issued, the same again is repeated, another is a second user', () => {
  const successor = aCertificate({ generation: 2, requestHash: 'request' });
  expect(decideRenewal(aCertificate(), undefined, 'request', NOW)).toEqual({ kind: 'issue' });
  expect(decideRenewal(aCertificate(), successor, 'request', NOW)).toEqual({ kind: 'repeat', certificate: successor });
  expect(decideRenewal(aCertificate(), successor, 'other', NOW)).toEqual({ kind: 'reused' });
});

test('however often and in what order requests come, one generation never has two successors', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom('a', 'b', 'c'), { minLength: 1 }), (requests) => {
      let successor: NodeCertificate | undefined;
      for (const requestHash of requests) {
        const renewal = decideRenewal(aCertificate(), successor, requestHash, NOW);
        if (renewal.kind === 'issue') successor = aCertificate({ generation: 2, requestHash });
        expect(renewal.kind === 'reused').toBe(requestHash !== requests[0]);
        if (renewal.kind === 'reused') return;
      }
    }),
  );
});

test('a machine that slept may renew for thirty days, and reuse is found even after that', () => {
  const last = CERTIFICATE_LIFE_MS + RENEWAL_GRACE_MS;
  expect(decideRenewal(aCertificate(), undefined, 'r', after(last))).toEqual({ kind: 'issue' });
  const late = (): unknown => decideRenewal(aCertificate(), undefined, 'r', after(last + 1));
  expect(late).toThrow(expect.objectContaining({ reason: 'CERTIFICATE_TOO_OLD' }));
  const successor = aCertificate({ generation: 2 });
  expect(decideRenewal(aCertificate(), successor, 'r', after(last + 1))).toEqual({ kind: 'reused' });
});

test('the newest certificate is current until it expires, the one before it for the hand-over', () => {
  const successor = aCertificate({ generation: 2 });
  expect(isCurrent(aCertificate(), undefined, after(CERTIFICATE_LIFE_MS - 1))).toBe(true);
  expect(isCurrent(aCertificate(), undefined, after(CERTIFICATE_LIFE_MS))).toBe(false);
  expect(isCurrent(aCertificate(), successor, after(HANDOVER_MS - 1))).toBe(true);
  expect(isCurrent(aCertificate(), successor, after(HANDOVER_MS))).toBe(false);
});

test('what is signed is the request followed by the generation, big endian', () => {
  expect([...renewalMessage(Uint8Array.of(7, 8), 258)]).toEqual([7, 8, 0, 0, 1, 2]);
});
