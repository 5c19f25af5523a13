/** Replies that no pattern knew, most frequent first. Bounded: when full, the rarer half is forgotten. */
import { foldReply } from './fold.ts';

export interface UnmatchedReply {
  /** Numbers, addresses and ids folded. */
  readonly text: string;
  readonly count: number;
}

const MAX_TEXTS = 1_000;
const MAX_LENGTH = 300;

export class UnmatchedReplies {
  readonly #counts = new Map<string, number>();
  #total = 0;

  /** All that were ever added. */
  get total(): number {
    return this.#total;
  }

  add(line: string): void {
    this.#total += 1;
    const text = foldReply(line.slice(0, MAX_LENGTH));
    this.#counts.set(text, (this.#counts.get(text) ?? 0) + 1);
    if (this.#counts.size > MAX_TEXTS) this.#forget();
  }

  top(most: number): UnmatchedReply[] {
    return this.#sorted()
      .slice(0, most)
      .map(([text, count]) => ({ text, count }));
  }

  #forget(): void {
    for (const [text] of this.#sorted().slice(MAX_TEXTS / 2)) this.#counts.delete(text);
  }

  #sorted(): [string, number][] {
    return [...this.#counts].sort((a, b) => b[1] - a[1]);
  }
}
