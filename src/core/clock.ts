/**
 * Time is passed in, never read from a global, so tests can turn it.
 * `now` is wall time (ms since the epoch, may step); `mono` only moves forward (ms, arbitrary origin).
 */
export interface Clock {
  now(): number;
  mono(): number;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  mono: () => performance.now(),
};
