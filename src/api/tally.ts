/** Counts by three labels, made for being added to often and read seldom: nested maps, no text per addition. */
export interface Cell {
  readonly labels: readonly [string, string, string];
  count: number;
}

export class Tally {
  readonly #cells = new Map<string, Map<string, Map<string, Cell>>>();

  add(a: string, b: string, c: string): void {
    const cell = this.#cells.get(a)?.get(b)?.get(c);
    if (cell) cell.count++;
    else this.#create(a, b, c);
  }

  *cells(): Generator<Cell> {
    for (const second of this.#cells.values()) for (const third of second.values()) yield* third.values();
  }

  #create(a: string, b: string, c: string): void {
    let second = this.#cells.get(a);
    if (!second) this.#cells.set(a, (second = new Map<string, Map<string, Cell>>()));
    let third = second.get(b);
    if (!third) second.set(b, (third = new Map<string, Cell>()));
    third.set(c, { labels: [a, b, c], count: 1 });
  }
}
