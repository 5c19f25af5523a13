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

  /** By name; of several readers with one name that of the one that is furthest behind. */
  positions(): ReadonlyMap<string, number> {
    const positions = new Map<string, number>();
    for (const { name, position } of this.#readers)
      positions.set(name, Math.min(positions.get(name) ?? Infinity, position()));
    return positions;
  }
}
