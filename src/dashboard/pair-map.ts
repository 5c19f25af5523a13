/**
 * Values by two names, such as node and ISP. A map in a map: joining two names to one key, tens of thousands of times,
 * costs more than all else that is done with them.
 */
export class PairMap<T> {
  readonly #rows = new Map<string, Map<string, T>>();

  get(first: string, second: string): T | undefined {
    return this.#rows.get(first)?.get(second);
  }

  /** What is there, or else what `create` makes. */
  entry(first: string, second: string, create: () => T): T {
    let row = this.#rows.get(first);
    if (!row) this.#rows.set(first, (row = new Map<string, T>()));
    let value = row.get(second);
    if (value === undefined) row.set(second, (value = create()));
    return value;
  }

  *values(): Generator<T> {
    for (const row of this.#rows.values()) yield* row.values();
  }
}
