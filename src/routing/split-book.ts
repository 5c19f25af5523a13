/**
 * The splits of all rules by key. It outlives reloads, and what the splits owe is stored in the transaction that accepts
 * the mail they were asked for, so the shares stay exact over reloads, restarts and crashes. A rule whose shares or
 * conditions change has a new key and begins anew.
 */
import type { SplitMark } from '../queue/index.ts';
import { SmoothSplit } from './split.ts';

const all = (): boolean => true;

export class SplitBook {
  readonly #stored: (key: string) => readonly number[] | undefined;
  readonly #splits = new Map<string, SmoothSplit<number>>();
  readonly #moved = new Set<string>();

  /** `stored` is what the store has of a key (Queue.splitMark). */
  constructor(stored: (key: string) => readonly number[] | undefined = () => undefined) {
    this.#stored = stored;
  }

  /** Index of the share whose turn it is, among those that qualify; of all when none does. */
  next(key: string, weights: readonly number[], qualifies: (index: number) => boolean = all): number {
    let split = this.#splits.get(key);
    if (!split) {
      const items = weights.map((weight, item) => ({ item, weight }));
      this.#splits.set(key, (split = new SmoothSplit(items, this.#stored(key))));
    }
    this.#moved.add(key);
    return split.next(qualifies) ?? split.next(all)!;
  }

  /** What changed since the last time, to be stored with the mail that changed it. */
  takeMarks(): readonly SplitMark[] | undefined {
    if (this.#moved.size === 0) return undefined;
    const marks = [...this.#moved].map((key) => ({ key, credits: this.#splits.get(key)!.credits }));
    this.#moved.clear();
    return marks;
  }
}
