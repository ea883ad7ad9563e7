import { DomainError } from '@daya/kernel';

/** Bounds what is open at once, in all and for one owner. */
export class Slots {
  private readonly byOwner = new Map<string, number>();
  private total = 0;

  constructor(
    private readonly reason: string,
    private readonly totalMax: number,
    private readonly perOwnerMax: number,
  ) {}

  /** The returned function gives the slot back, once. Throws `exhausted` with this group's reason. */
  take(owner: string): () => void {
    const own = this.byOwner.get(owner) ?? 0;
    if (this.total >= this.totalMax || own >= this.perOwnerMax) {
      throw new DomainError('exhausted', this.reason, 'too many at once: try again later');
    }
    this.total += 1;
    this.byOwner.set(owner, own + 1);
    let held = true;
    return () => {
      if (held) this.release(owner);
      held = false;
    };
  }

  private release(owner: string): void {
    this.total -= 1;
    const left = (this.byOwner.get(owner) ?? 1) - 1;
    if (left === 0) this.byOwner.delete(owner);
    else this.byOwner.set(owner, left);
  }
}
