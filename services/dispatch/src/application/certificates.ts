import { DomainError, type Clock } from '@daya/kernel';
import {
  BATCH_BYTES_MAX,
  BATCH_QUEUE_MAX,
  CERTIFICATE_CACHE_MS,
  CERTIFICATE_GRACE_MS,
  CERTIFICATE_RECHECK_MS,
  CERTIFICATES_PER_CALL_MAX,
} from '../domain/limits';
import { Batcher } from './batcher';
import type { CertificateId, CertificateState, NodeCertificate, Registry } from './ports';

interface Known {
  readonly state: CertificateState;
  readonly atMs: number;
}

const ENTRIES_MAX = 20_000;

/**
 * Whether nodes' certificates are good, as registry says, and their keys. Answers are used for at most 1 s. Questions of
 * one moment share a call: a thousand open streams ask some three hundred a second.
 */
export class Certificates {
  private readonly known = new Map<string, Known>();
  private readonly asking = new Map<string, Promise<CertificateState>>();
  private readonly questions: Batcher<CertificateId, CertificateState>;

  constructor(
    registry: Registry,
    private readonly clock: Clock,
  ) {
    const limits = {
      itemsMax: CERTIFICATES_PER_CALL_MAX,
      // Nobody waits for company: what is asked in one turn, or while two calls are out, goes together.
      delayMs: 0,
      inFlight: 2,
      bytesMax: BATCH_BYTES_MAX,
      queuedMax: BATCH_QUEUE_MAX,
    };
    const nowMs = (): number => clock.now().getTime();
    this.questions = new Batcher(limits, (batch) => registry.checkCertificates(batch), nowMs);
  }

  /** Throws `unauthenticated` CERTIFICATE_REVOKED or CERTIFICATE_EXPIRED, `unavailable` when registry does not answer. */
  async refuseRevoked(node: NodeCertificate): Promise<CertificateState> {
    this.refuseExpired(node);
    const known = this.known.get(keyOf(node));
    const fresh = known !== undefined && this.ageMs(known) < CERTIFICATE_CACHE_MS;
    const state = fresh ? known.state : await this.ask(node);
    if (!state.valid) throw refused('CERTIFICATE_REVOKED', 'the certificate was revoked');
    return state;
  }

  /**
   * Asks again, for a stream that is open. While registry is down the last good answer holds for five minutes: it is also
   * registry that would have to revoke. Throws like `refuseRevoked`.
   */
  async recheck(node: NodeCertificate): Promise<void> {
    this.refuseExpired(node);
    try {
      const { valid } = await this.ask(node);
      if (!valid) throw refused('CERTIFICATE_REVOKED', 'the certificate was revoked');
    } catch (error) {
      const known = this.known.get(keyOf(node));
      const tolerated = known?.state.valid === true && this.ageMs(known) < CERTIFICATE_GRACE_MS;
      if (!(error instanceof DomainError && error.kind === 'unavailable' && tolerated)) throw error;
    }
  }

  /** The values of a long transfer, which ends like a stream when the certificate does. */
  async *whileGood<T>(node: NodeCertificate, source: AsyncIterable<T>): AsyncGenerator<T, void, undefined> {
    let checkedMs = this.clock.now().getTime();
    for await (const value of source) {
      const nowMs = this.clock.now().getTime();
      if (nowMs - checkedMs >= CERTIFICATE_RECHECK_MS) {
        checkedMs = nowMs;
        await this.recheck(node);
      }
      yield value;
    }
  }

  /**
   * The key of one of a node's generations; older ones still sign what was spooled before a renewal. A generation's key
   * never changes, so one answer is enough. Empty when there is none.
   */
  async publicKey(nodeId: string, generation: number): Promise<Uint8Array> {
    const known = this.known.get(keyOf({ nodeId, generation }));
    return (known?.state ?? (await this.ask({ nodeId, generation }))).publicKey;
  }

  private refuseExpired({ expireTime }: NodeCertificate): void {
    if (expireTime <= this.clock.now()) throw refused('CERTIFICATE_EXPIRED', 'the certificate has expired');
  }

  private ask(node: CertificateId): Promise<CertificateState> {
    const key = keyOf(node);
    const running = this.asking.get(key);
    if (running !== undefined) return running;
    const question = this.questions.add(node, node.nodeId.length).then((state) => {
      this.remember(key, state);
      return state;
    });
    const settled = question.finally(() => this.asking.delete(key));
    this.asking.set(key, settled);
    return settled;
  }

  private remember(key: string, state: CertificateState): void {
    this.known.delete(key);
    this.known.set(key, { state, atMs: this.clock.now().getTime() });
    const [oldest] = this.known.keys();
    if (this.known.size > ENTRIES_MAX && oldest !== undefined) this.known.delete(oldest);
  }

  private ageMs(known: Known): number {
    return this.clock.now().getTime() - known.atMs;
  }
}

const keyOf = ({ nodeId, generation }: CertificateId): string => `${nodeId}/${generation}`;
const refused = (reason: string, message: string): DomainError => new DomainError('unauthenticated', reason, message);
