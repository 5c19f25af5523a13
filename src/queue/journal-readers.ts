/** Who follows the journal, and how far each is: what a figure of their lag is made of. */
export interface JournalReader {
  readonly name: string;
  /** Sequence number of the last event it has dealt with. */
  readonly position: () => number;
}

export class JournalReaders {
  readonly #readers = new Set<JournalReader>();

  /** Gives what ends it. */
  add(reader: JournalReader): () => void {
    this.#readers.add(reader);
    return () => void this.#readers.delete(reader);
  }

  /** The last event that all of them have dealt with; Infinity when there are none. */
  get slowest(): number {
    return Math.min(Infinity, ...[...this.#readers].map(({ position }) => position()));
  }

  /** Events behind `last`, by name; of several readers with one name the one that is furthest behind. */
  lags(last: number): ReadonlyMap<string, number> {
    const lags = new Map<string, number>();
    for (const { name, position } of this.#readers)
      lags.set(name, Math.max(lags.get(name) ?? 0, last - position()));
    return lags;
  }
}
