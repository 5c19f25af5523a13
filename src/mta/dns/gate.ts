/** Bounds what is under way at once: `limit` run, `maxWaiting` wait in order, the rest is turned away. */
export class Gate {
  readonly #limit: number;
  readonly #maxWaiting: number;
  readonly #waiting = new Set<() => void>();
  #running = 0;

  constructor(limit: number, maxWaiting: number) {
    this.#limit = limit;
    this.#maxWaiting = maxWaiting;
  }

  /** Runs `work` when there is room; undefined when too many wait already. */
  async run<T>(work: () => Promise<T>): Promise<T | undefined> {
    if (this.#running >= this.#limit) {
      if (this.#waiting.size >= this.#maxWaiting) return undefined;
      // The slot is handed over by the one who leaves, so nobody can slip in between.
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    } else this.#running++;
    try {
      return await work();
    } finally {
      this.#leave();
    }
  }

  #leave(): void {
    for (const next of this.#waiting) {
      this.#waiting.delete(next);
      next();
      return;
    }
    this.#running--;
  }
}
