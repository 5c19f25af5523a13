/** A function that runs in each turn of the event loop sees how long the thread is held at a time, collector included. */

export class TurnWatch {
  #longest = 0;
  #last: number;
  readonly #now: () => number;
  #watching = true;
  readonly #ended = Promise.withResolvers<void>();

  /** `now`: what is measured (ms). Wall time has in it what others did on the same core. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
    this.#last = now();
    setImmediate(() => this.#turn());
  }

  /** The longest time (ms) between two turns. */
  async stop(): Promise<number> {
    this.#watching = false;
    await this.#ended.promise;
    return this.#longest;
  }

  #turn(): void {
    const now = this.#now();
    this.#longest = Math.max(this.#longest, now - this.#last);
    this.#last = now;
    if (this.#watching) setImmediate(() => this.#turn());
    else this.#ended.resolve();
  }
}

/** CPU of this thread so far. */
export function threadCpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}
