import { DomainError } from '@daya/kernel';
import { STREAMS_MAX, STREAMS_PER_KEY_MAX } from '../limits';
import type { Admitted } from './admission';
import type { KeyWatch } from './key-watch';

/** A stream that is open: `signal` ends it, `release` says that it is over. */
export interface OpenStream {
  readonly signal: AbortSignal;
  release(): void;
}

/** Bounds the open streams in all and per key, ends them on revocation and when the gateway stops. */
export class StreamSlots {
  private readonly byKey = new Map<string, number>();
  private readonly open = new Set<AbortController>();
  private draining = false;

  constructor(private readonly watch: KeyWatch) {}

  /** `gone` fires when the caller has left. Throws `exhausted` STREAMS_TOO_MANY, `unavailable` SERVER_DRAINING. */
  take({ member, secret }: Admitted, gone: AbortSignal): OpenStream {
    if (this.draining) throw draining();
    const own = this.byKey.get(member.keyId) ?? 0;
    if (own >= STREAMS_PER_KEY_MAX || this.open.size >= STREAMS_MAX)
      throw new DomainError('exhausted', 'STREAMS_TOO_MANY', 'too many streams are open: close some');
    this.byKey.set(member.keyId, own + 1);
    const controller = new AbortController();
    this.open.add(controller);
    const unwatch = this.watch.watch(secret, controller);
    const release = (): void => {
      if (!this.open.delete(controller)) return;
      unwatch();
      const left = (this.byKey.get(member.keyId) ?? 1) - 1;
      if (left === 0) this.byKey.delete(member.keyId);
      else this.byKey.set(member.keyId, left);
    };
    return { signal: AbortSignal.any([controller.signal, gone]), release };
  }

  endAll(): void {
    this.draining = true;
    for (const controller of this.open) controller.abort(draining());
  }
}

const draining = (): DomainError =>
  new DomainError('unavailable', 'SERVER_DRAINING', 'the server ended the stream: resume it');
