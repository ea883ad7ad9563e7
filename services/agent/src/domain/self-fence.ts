/**
 * When this agent must have stopped a lease on its own. All times are milliseconds of one monotonic clock.
 *
 * The deadline counts from when a renewal was *sent*, not from when its answer came: the server's own clock for the
 * lease started at the latest when it received the renewal, so the agent is always the earlier of the two.
 */
export interface SelfFence {
  readonly selfFenceMs: number;
  readonly deadlineMs: number;
  /** Once past, nothing revives a lease: its container may already be running elsewhere. */
  readonly fenced: boolean;
}

/** The fence of a lease whose acceptance was sent at `sentAtMs`. */
export function armFence(sentAtMs: number, selfFenceMs: number): SelfFence {
  return { selfFenceMs, deadlineMs: sentAtMs + selfFenceMs, fenced: false };
}

/** The fence after the server acknowledged a renewal. Old or late acknowledgements change nothing. */
export function acknowledgeRenewal(fence: SelfFence, renewalSentAtMs: number, nowMs: number): SelfFence {
  const checked = checkFence(fence, nowMs);
  if (checked.fenced) return checked;
  return { ...checked, deadlineMs: Math.max(checked.deadlineMs, renewalSentAtMs + fence.selfFenceMs) };
}

/** Looks at the clock again, for instance after the process was paused; must be asked before any side effect. */
export function checkFence(fence: SelfFence, nowMs: number): SelfFence {
  return fence.fenced || nowMs < fence.deadlineMs ? fence : { ...fence, fenced: true };
}
