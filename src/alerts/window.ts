/** Counts of one ISP over a period that moves on in sixty steps. Fixed memory; an addition is an increment. */
const STEPS = 60;

export const COUNTED = ['delivered', 'soft', 'hard', 'complaints'] as const;
export type Counted = (typeof COUNTED)[number];
export type Counts = Readonly<Record<Counted, number>>;

const WIDTH = COUNTED.length;

export class Window {
  readonly #stepMs: number;
  readonly #counts = new Uint32Array(STEPS * WIDTH);
  #step = -Infinity;

  constructor(periodMs: number) {
    this.#stepMs = periodMs / STEPS;
  }

  add(what: Counted, now: number): void {
    this.#turnTo(now);
    this.#counts[(this.#step % STEPS) * WIDTH + COUNTED.indexOf(what)]!++;
  }

  sum(now: number): Counts {
    this.#turnTo(now);
    const sum = { delivered: 0, soft: 0, hard: 0, complaints: 0 };
    for (let i = 0; i < this.#counts.length; i++) sum[COUNTED[i % WIDTH]!] += this.#counts[i]!;
    return sum;
  }

  /** Empties the steps that have passed. A clock that steps back adds to the newest one. */
  #turnTo(now: number): void {
    const step = Math.floor(now / this.#stepMs);
    if (step <= this.#step) return;
    for (let each = Math.max(this.#step + 1, step - STEPS + 1); each <= step; each++)
      this.#counts.fill(0, (each % STEPS) * WIDTH, (each % STEPS) * WIDTH + WIDTH);
    this.#step = step;
  }
}
