/**
 * Finds which of many words stand in a text in one pass: words are kept by a hash of their first three characters, so
 * most places of a text cost one look into a table. Made once, read on the sending path: no allocation per text.
 */
const BITS = 13;
const SIZE = 2 ** BITS;

export class WordIndex {
  /** Words by the hash of their first three characters. */
  readonly #buckets: (readonly Word[] | undefined)[] = new Array<readonly Word[] | undefined>(SIZE).fill(
    undefined,
  );

  /** Each word with the numbers it stands for; a word has at least three characters. */
  constructor(words: ReadonlyMap<string, readonly number[]>) {
    for (const [text, owners] of words) {
      const at = hash(text, 0);
      this.#buckets[at] = [...(this.#buckets[at] ?? []), { text, owners }];
    }
  }

  /** Calls back with the owners of each word that stands in `text`, as often as it stands there. */
  find(text: string, found: (owners: readonly number[]) => void): void {
    const last = text.length - 3;
    for (let at = 0; at <= last; at++) {
      const bucket = this.#buckets[hash(text, at)];
      if (bucket === undefined) continue;
      for (const word of bucket) if (text.startsWith(word.text, at)) found(word.owners);
    }
  }
}

interface Word {
  readonly text: string;
  readonly owners: readonly number[];
}

const hash = (text: string, at: number): number =>
  (text.charCodeAt(at) ^ (text.charCodeAt(at + 1) << 4) ^ (text.charCodeAt(at + 2) << 8)) & (SIZE - 1);
