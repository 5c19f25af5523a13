/**
 * How many sessions a (node, ISP) may have below what its strategy allows, because the receiver refused more. One less
 * than were open when it did; one more is tried after a while, and the while doubles each time that fails.
 */
import type { Clock } from '../../core/index.ts';

const LONGEST_HOLD_MS = 3_600_000;
const TOGETHER_MS = 10_000;

export class SessionLimit {
  readonly #clock: Clock;
  #limit = Infinity;
  #holdMs = 0;
  #since = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Sessions allowed now, if the strategy allows `most`. */
  current(most: number): number {
    if (this.#limit === Infinity) return most;
    if (this.#limit >= most) this.#limit = Infinity;
    else if (this.#clock.mono() - this.#since >= this.#holdMs) {
      this.#limit++;
      this.#since = this.#clock.mono();
    }
    return Math.min(this.#limit, most);
  }

  /** The receiver refused a session while so many were open. Says whether that changes anything. */
  refused(open: number, holdMs: number): boolean {
    const now = this.#clock.mono();
    const first = this.#limit === Infinity;
    const limit = Math.max(1, first ? open : this.#limit - 1);
    if (limit === this.#limit) return false;
    // Of several that were being opened together each takes one away; only a later one means that a try has failed.
    if (first) this.#holdMs = holdMs;
    else if (now - this.#since > TOGETHER_MS) this.#holdMs = Math.min(LONGEST_HOLD_MS, this.#holdMs * 2);
    this.#limit = limit;
    this.#since = now;
    return true;
  }
}
