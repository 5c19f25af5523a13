/**
 * Time is passed in, never read from a global, so tests can turn it.
 * `now` is wall time (ms since the epoch, may step); `mono` only moves forward (ms, arbitrary origin).
 */
export interface Clock {
  now(): number;
  mono(): number;
  /** Lets times of `mono` be compared with those of an earlier process; undefined where nothing is known. */
  readonly boot?: Boot | undefined;
}

export interface Boot {
  /** Another one after each start of the machine. */
  readonly id: string;
  /** What to add to `mono` for the ms since that start. */
  readonly originMs: number;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  mono: () => performance.now(),
};
