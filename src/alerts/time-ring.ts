/** Counts per step of time (a second, a minute) for the last `steps` steps. Fixed memory, no allocation per addition. */
export const COUNTED = ['delivered', 'soft', 'hard', 'complaints'] as const;
export type Counted = (typeof COUNTED)[number];
export type Counts = Readonly<Record<Counted, number>>;

const WIDTH = COUNTED.length;

export interface Series {
  /** Wall time (ms) of the start of the first step. */
  readonly from: number;
  readonly stepMs: number;
  readonly delivered: readonly number[];
  readonly soft: readonly number[];
  readonly hard: readonly number[];
  readonly complaints: readonly number[];
}

export class TimeRing {
  readonly #stepMs: number;
  readonly #steps: number;
  readonly #counts: Float64Array;
  /** The step that was added to last; those between it and now are empty. */
  #step = -Infinity;

  constructor(stepMs: number, steps: number) {
    this.#stepMs = stepMs;
    this.#steps = steps;
    this.#counts = new Float64Array(steps * WIDTH);
  }

  add(what: Counted, now: number): void {
    this.#turnTo(now);
    this.#counts[(this.#step % this.#steps) * WIDTH + COUNTED.indexOf(what)]!++;
  }

  /** Of all steps. */
  sum(now: number): Counts {
    this.#turnTo(now);
    const sum = { delivered: 0, soft: 0, hard: 0, complaints: 0 };
    for (let i = 0; i < this.#counts.length; i++) sum[COUNTED[i % WIDTH]!] += this.#counts[i]!;
    return sum;
  }

  /** Oldest step first; the last one is under way. */
  series(now: number): Series {
    this.#turnTo(now);
    const first = this.#step - this.#steps + 1;
    const of = (what: Counted): number[] =>
      Array.from({ length: this.#steps }, (_, i) => {
        const slot = (first + i + this.#steps) % this.#steps;
        return this.#counts[slot * WIDTH + COUNTED.indexOf(what)]!;
      });
    const from = first * this.#stepMs;
    return {
      from,
      stepMs: this.#stepMs,
      delivered: of('delivered'),
      soft: of('soft'),
      hard: of('hard'),
      complaints: of('complaints'),
    };
  }

  /** Clears the steps between the last addition and now. A clock that steps back adds to the newest step. */
  #turnTo(now: number): void {
    const step = Math.floor(now / this.#stepMs);
    if (step <= this.#step) return;
    for (let each = Math.max(this.#step + 1, step - this.#steps + 1); each <= step; each++) {
      const start = (each % this.#steps) * WIDTH;
      this.#counts.fill(0, start, start + WIDTH);
    }
    this.#step = step;
  }
}
