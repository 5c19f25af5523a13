/**
 * How long commits take, the one that is under way included: a disk that hangs ends none. Judged over the last minute,
 * so that one slow write among many is no slow disk, and a disk is well again only after a minute without any.
 */
import type { Kv } from './kv.ts';

const STEP_MS = 5_000;
const STEPS = 12;

/** Commits of the last minute, and the time (ms) that they took. */
export interface CommitTime {
  readonly count: number;
  readonly ms: number;
  /** Of these, those that took `slowMs` or longer; the one under way counts as soon as it has. */
  readonly slowCount: number;
  readonly slowTotalMs: number;
}

interface Step {
  readonly until: number;
  count: number;
  ms: number;
  slowCount: number;
  slowTotalMs: number;
}

export interface CommitTimesOptions {
  readonly mono: () => number;
  /** A commit that takes so long is slow. */
  readonly slowMs: number;
}

export class CommitTimes {
  readonly #mono: () => number;
  #slowMs: number;
  readonly #steps: Step[] = [];
  /** Since when (mono ms) a commit is under way. */
  #since: number | undefined;

  constructor({ mono, slowMs }: CommitTimesOptions) {
    this.#mono = mono;
    this.#slowMs = slowMs;
  }

  /** Holds for commits that end from now on. */
  set slowMs(ms: number) {
    this.#slowMs = ms;
  }

  get slowMs(): number {
    return this.#slowMs;
  }

  /** The same store, whose commits are timed. */
  guard(kv: Kv): Kv {
    return {
      ...kv,
      commit: async (ops) => {
        const start = this.#mono();
        this.#since = start;
        try {
          await kv.commit(ops);
        } finally {
          this.#since = undefined;
          this.#add(this.#mono() - start);
        }
      },
    };
  }

  /** For how long the one that is under way has been so. */
  get underWayMs(): number {
    return this.#since === undefined ? 0 : this.#mono() - this.#since;
  }

  measure(): CommitTime {
    const now = this.#mono();
    this.#forget(now);
    const sum = { count: 0, ms: 0, slowCount: 0, slowTotalMs: 0 };
    for (const step of this.#steps) addTo(sum, step);
    const { underWayMs } = this;
    if (underWayMs >= this.#slowMs) addTo(sum, this.#timed(underWayMs));
    return sum;
  }

  #add(ms: number): void {
    const now = this.#mono();
    let last = this.#steps.at(-1);
    if (!last || last.until <= now) {
      this.#forget(now);
      last = { until: now + STEP_MS, count: 0, ms: 0, slowCount: 0, slowTotalMs: 0 };
      this.#steps.push(last);
    }
    addTo(last, this.#timed(ms));
  }

  #timed(ms: number): CommitTime {
    const slow = ms >= this.#slowMs;
    return { count: 1, ms, slowCount: slow ? 1 : 0, slowTotalMs: slow ? ms : 0 };
  }

  #forget(now: number): void {
    while (this.#steps[0] && this.#steps[0].until + STEP_MS * (STEPS - 1) <= now) this.#steps.shift();
  }
}

function addTo(sum: Omit<Step, 'until'>, { count, ms, slowCount, slowTotalMs }: CommitTime): void {
  sum.count += count;
  sum.ms += ms;
  sum.slowCount += slowCount;
  sum.slowTotalMs += slowTotalMs;
}
