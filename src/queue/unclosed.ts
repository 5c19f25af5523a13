/** Messages that take no more recipients, but whose closing the store refused (closing.ts). */

/** Closed by one commit. */
const SLICE = 500;

export class Unclosed {
  readonly #numbers = new Set<number>();

  get size(): number {
    return this.#numbers.size;
  }

  add(number: number): void {
    this.#numbers.add(number);
  }

  /** Closed, or open rightly: somebody adds to it again. Returns whether it was to be closed. */
  forget(number: number): boolean {
    return this.#numbers.delete(number);
  }

  some(): readonly number[] {
    return [...this.#numbers].slice(0, SLICE);
  }
}
