/**
 * What the crash test's worker and its parent share: a random generator that a seed repeats, and the lines by which
 * the worker says what it was promised. A line is written, whole, before anything else happens.
 */
import { writeSync } from 'node:fs';

export type Line =
  | { readonly what: 'ready' }
  /** The acceptance of these deliveries has resolved. */
  | { readonly what: 'accepted'; readonly ids: readonly string[] }
  | { readonly what: 'leased'; readonly id: string }
  /** The outcome of this delivery has resolved. */
  | { readonly what: 'outcome'; readonly id: string; readonly kind: OutcomeKind };

export type OutcomeKind = 'delivered' | 'hard_bounce' | 'deferred' | 'released';

export const tell = (line: Line): void => void writeSync(1, `${JSON.stringify(line)}\n`);

/** Numbers in [0, 1), the same for the same seed (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
