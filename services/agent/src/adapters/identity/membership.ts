import { randomBytes, type KeyObject } from 'node:crypto';
import type { Clock } from '@daya/kernel';
import type { AgentLog, Alarms } from '../../application/ports';
import { enrol, renew } from './enrolment';
import type { EnrolmentAddress } from './enrolment';
import { renewalTime } from './node-identity';
import type { IdentityStore, NodeIdentity } from './node-identity';

const RETRY_MS = 30_000;
const NONCE_BYTES = 16;

interface MembershipParts {
  readonly store: IdentityStore;
  readonly platform: EnrolmentAddress;
  readonly clock: Clock;
  readonly alarms: Alarms;
  readonly log: AgentLog;
}

/** This node's membership: enrolled once with a token, kept alive by renewals at two thirds of each certificate's life. */
export class Membership {
  private constructor(
    private readonly parts: MembershipParts,
    readonly key: KeyObject,
    private current: NodeIdentity,
  ) {}

  /** Reads the stored identity, or enrols with the token. Throws when there is neither, or when the platform refuses. */
  static async join(parts: MembershipParts, token: string | null): Promise<Membership> {
    const key = parts.store.key();
    const stored = parts.store.load();
    if (stored !== null) return new Membership(parts, key, stored);
    if (token === null) throw new Error('this node is not enrolled and ENROLMENT_TOKEN is not set');
    const identity = await enrol(parts.platform, key, token);
    parts.store.save(identity);
    parts.log.info('enrolled', { nodeId: identity.nodeId });
    return new Membership(parts, key, identity);
  }

  get identity(): NodeIdentity {
    return this.current;
  }

  /** Renews when it is time, for ever; at once when the certificate has run out while the agent was off. Returns a stop function. */
  keepRenewed(onRenewed: (identity: NodeIdentity) => void): () => void {
    let disarm: () => void = () => undefined;
    const armFor = (delayMs: number): void => {
      disarm = this.parts.alarms.after(Math.max(0, delayMs), () => void attempt());
    };
    const armForTime = (): void =>
      armFor(renewalTime(this.current.certificateChain).getTime() - this.parts.clock.now().getTime());
    const attempt = async (): Promise<void> => {
      try {
        this.save(await renew(this.parts.platform, this.key, this.current, this.renewalNonce()));
        this.parts.log.info('certificate renewed', { generation: this.current.generation });
        onRenewed(this.current);
        armForTime();
      } catch (error) {
        this.parts.log.warn('certificate was not renewed', { error: String(error) });
        armFor(RETRY_MS);
      }
    };
    armForTime();
    return () => disarm();
  }

  /**
   * Of the renewal that is under way: stored before it is sent, so that a lost answer is asked for again, while a copy of
   * this folder, which draws its own, is found out by the platform.
   */
  private renewalNonce(): string {
    const nonce = this.current.renewalNonce ?? randomBytes(NONCE_BYTES).toString('hex');
    if (this.current.renewalNonce === null) this.save({ ...this.current, renewalNonce: nonce });
    return nonce;
  }

  private save(identity: NodeIdentity): void {
    this.parts.store.save(identity);
    this.current = identity;
  }
}
