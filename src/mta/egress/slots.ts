/** When deliveries that go back because a limit is used up shall come again: one after the other, at its rate. */
import type { Clock, Rate } from '../../core/index.ts';

export class Slots {
  readonly #clock: Clock;
  /** Wall ms of the last one that was promised. */
  #last = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Wall ms of the next one; `waitMs`: until the limit has a token. */
  next(waitMs: number, rate: Rate | null | undefined): number {
    const first = this.#clock.now() + waitMs;
    this.#last = Math.max(first, this.#last + (rate ? rate.perMs / rate.count : 0));
    return Math.ceil(this.#last);
  }
}
