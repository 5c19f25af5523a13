/** A function that runs in each turn of the event loop sees how long the thread is held at a time, collector included. */

export class TurnWatch {
  #longest = 0;
  #last = performance.now();
  #watching = true;
  readonly #ended = Promise.withResolvers<void>();

  constructor() {
    setImmediate(() => this.#turn());
  }

  /** The longest time (ms) between two turns. */
  async stop(): Promise<number> {
    this.#watching = false;
    await this.#ended.promise;
    return this.#longest;
  }

  #turn(): void {
    const now = performance.now();
    this.#longest = Math.max(this.#longest, now - this.#last);
    this.#last = now;
    if (this.#watching) setImmediate(() => this.#turn());
    else this.#ended.resolve();
  }
}
