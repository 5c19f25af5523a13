/**
 * What a step of the wall clock must not do. The clock is compared with the monotonic one whenever it is asked.
 *
 * - Set forward: no delivery ends for that at once. The time by which lifetimes end believes a clock that jumped ahead
 *   only when it has stood there for ten minutes; one that jumps back before has ended nothing.
 * - Set back: what waits would wait longer by the step, what was due already too. `setBack` tells of it once (redating.ts).
 *   A step while the program did not run shows by the newest event.
 *
 * Slow corrections (NTP slews both clocks alike) and steps below `STEP_MS` are followed and not told.
 */
import type { Clock } from '../core/index.ts';

export const STEP_MS = 10_000;
export const BELIEVED_MS = 600_000;

/**
 * The wall clock was set back by `by` (ms). What was due by it is so by `from` (wall ms): where it stood, and a smaller
 * step forward just before this one, which is not told.
 */
export interface SetBack {
  readonly from: number;
  readonly by: number;
}

export class ClockWatch {
  readonly #clock: Clock;
  /** Two readings of the same moment, and since when (mono) the wall clock is ahead of them. */
  #wall: number;
  #mono: number;
  #aheadSince: number | undefined;
  /** By how much (ms) it went ahead, until that was told. */
  #ahead: number | undefined;
  /** The same for `setBack`, which forgets a step once it was told. */
  #told: { wall: number; mono: number };

  /** `newest`: time of the newest event that is stored (wall ms); 0 when there is none. */
  constructor(clock: Clock, newest: number) {
    this.#clock = clock;
    this.#wall = clock.now();
    this.#mono = clock.mono();
    this.#told = { wall: Math.max(this.#wall, newest), mono: this.#mono };
  }

  /** Wall time (ms) by which lifetimes end. */
  lifetimeNow(): number {
    const [wall, mono] = [this.#clock.now(), this.#clock.mono()];
    const expected = this.#wall + mono - this.#mono;
    if (wall - expected >= STEP_MS) {
      if (this.#aheadSince === undefined) this.#ahead = wall - expected;
      this.#aheadSince ??= mono;
      if (mono - this.#aheadSince < BELIEVED_MS) return expected;
    }
    [this.#wall, this.#mono, this.#aheadSince] = [wall, mono, undefined];
    return wall;
  }

  /** This step is known from before the start: the newest event, which may be older, does not tell of it again. */
  knows({ from, by }: SetBack): void {
    this.#told.wall = Math.max(this.#clock.now(), from - STEP_MS - by);
  }

  /** By how much (ms) the clock was set forward; told once for each step that lifetimes do not go by yet. */
  setForward(): number | undefined {
    const by = this.#ahead;
    this.#ahead = undefined;
    return by;
  }

  /** A step back since it was asked last. */
  setBack(): SetBack | undefined {
    const [wall, mono] = [this.#clock.now(), this.#clock.mono()];
    const from = this.#told.wall + mono - this.#told.mono;
    this.#told = { wall, mono };
    return from - wall >= STEP_MS ? { from: from + STEP_MS, by: from - wall } : undefined;
  }
}
