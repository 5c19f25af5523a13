/**
 * Finds which of many words stand in a text in one pass: words are kept by a hash of their first three characters, so
 * most places of a text cost one look into a table. Made once, read on the sending path: no allocation per text.
 */
const BITS = 16;

interface Word {
  readonly text: string;
  /** Its last character, which is compared first: most words of a group differ in it from what stands there. */
  readonly end: number;
  readonly last: number;
  readonly owners: readonly number[];
}

export class WordIndex {
  /** By hash: 0, or the place in #groups. */
  readonly #table = new Uint16Array(2 ** BITS);
  readonly #groups: Word[][] = [[]];

  /** Each word with the numbers it stands for; a word has at least three characters. */
  constructor(words: ReadonlyMap<string, readonly number[]>) {
    for (const [text, owners] of words) {
      const at = hash(text.charCodeAt(0), text.charCodeAt(1), text.charCodeAt(2));
      if (this.#table[at] === 0) this.#table[at] = this.#groups.push([]) - 1;
      const end = text.length - 1;
      this.#groups[this.#table[at]!]!.push({ text, end, last: text.charCodeAt(end), owners });
    }
  }

  /** Sets the bit of each owner of a word that stands in `text`. */
  mark(text: string, bits: Uint32Array): void {
    const table = this.#table;
    let first = text.charCodeAt(0);
    let second = text.charCodeAt(1);
    for (let at = 0; at + 2 < text.length; at++) {
      const third = text.charCodeAt(at + 2);
      const group = table[hash(first, second, third)]!;
      first = second;
      second = third;
      if (group === 0) continue;
      for (const word of this.#groups[group]!)
        if (text.charCodeAt(at + word.end) === word.last && text.startsWith(word.text, at))
          for (const owner of word.owners) bits[owner >>> 5]! |= 1 << (owner & 31);
    }
  }
}

const hash = (first: number, second: number, third: number): number =>
  Math.imul((first << 16) ^ (second << 8) ^ third ^ (first >>> 8), 0x9e3779b1) >>> (32 - BITS);
