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

/** A spread for each label, all with the same bounds. */
export class Spreads {
  readonly #bounds: readonly number[];
  readonly #spreads = new Map<string, Spread>();

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
  }

  add(label: string, value: number): void {
    let spread = this.#spreads.get(label);
    if (!spread) this.#spreads.set(label, (spread = new Spread(this.#bounds)));
    spread.add(value);
  }

  [Symbol.iterator](): Iterator<readonly [label: string, spread: Spread]> {
    return this.#spreads.entries();
  }
}
