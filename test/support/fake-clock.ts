/** A clock that only the test moves. */
import type { Clock } from '../../src/core/index.ts';

export interface FakeClock extends Clock {
  advance(ms: number): void;
  /** The wall clock alone is set, by so many ms. */
  step(ms: number): void;
}

export function createFakeClock(startMs = 1_000): FakeClock {
  let elapsed = startMs;
  let set = 0;
  return {
    now: () => Date.UTC(2026, 0, 1) + elapsed + set,
    mono: () => elapsed,
    advance: (ms) => {
      elapsed += ms;
    },
    step: (ms) => {
      set += ms;
    },
  };
}
