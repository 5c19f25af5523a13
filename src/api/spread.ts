/** How values are spread: how many are up to each of a few bounds. Fixed memory. */
export class Spread {
  readonly #bounds: readonly number[];
  /** Between two bounds; the last is beyond all. */
  readonly #counts: number[];
  sum = 0;

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#counts = Array.from({ length: bounds.length + 1 }, () => 0);
  }

  add(value: number): void {
    let place = 0;
    while (place < this.#bounds.length && value > this.#bounds[place]!) place++;
    this.#counts[place]!++;
    this.sum += value;
  }

  get count(): number {
    return this.#counts.reduce((a, b) => a + b);
  }

  /** For each bound how many are not above it; all at the end. */
  *upTo(): Generator<readonly [bound: number, count: number]> {
    let count = 0;
    for (const [i, more] of this.#counts.entries()) {
      count += more;
      yield [this.#bounds[i] ?? Infinity, count];
    }
  }
}
