/** Counts to `n` within `t`: the times of the last refusals by key, bounded in both directions. */
import type { Rate } from '../../core/index.ts';

const MAX_KEYS = 5_000;
const MAX_TIMES = 1_000;

export class Thresholds {
  readonly #times = new Map<string, number[]>();

  /** One more; says whether the threshold is reached, and then forgets what led to it. */
  reached(key: string, { count, perMs }: Rate, now: number): boolean {
    if (count <= 1) return true;
    const times = (this.#times.get(key) ?? []).filter((at) => at > now - perMs);
    times.push(now);
    this.#times.delete(key);
    if (times.length >= Math.min(count, MAX_TIMES)) return true;
    if (this.#times.size >= MAX_KEYS) this.#times.delete(this.#times.keys().next().value!);
    this.#times.set(key, times);
    return false;
  }
}
