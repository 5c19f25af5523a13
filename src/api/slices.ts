/**
 * Long work in pieces: after each so many the event loop has a turn, so that mail goes on meanwhile. What is walked may
 * change in between, so this is for figures that people look at, not for what must add up.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';

/** Pieces of a microsecond or two each. */
export const SLICE = 1_000;

export class Slices {
  #spentMs = 0;

  /** What the work itself has taken so far (ms), without what others did in between. */
  get spentMs(): number {
    return this.#spentMs;
  }

  /** A piece that cannot be divided. */
  run<T>(work: () => T): T {
    const started = performance.now();
    try {
      return work();
    } finally {
      this.#spentMs += performance.now() - started;
    }
  }

  /** Reading a piece is part of the work. `size`: how many of them between two turns. */
  async each<T>(pieces: Iterable<T>, work: (piece: T) => void, size = SLICE): Promise<void> {
    const iterator = pieces[Symbol.iterator]();
    const someAreLeft = (): boolean => {
      for (let i = 0; i < size; i++) {
        const next = iterator.next();
        if (next.done === true) return false;
        work(next.value);
      }
      return true;
    };
    while (this.run(someAreLeft)) await nextTurn();
  }
}
