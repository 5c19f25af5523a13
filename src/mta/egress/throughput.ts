/** How much goes out and how much of it is accepted, per second, over the last minute. Two counters and a clock. */
import type { Clock } from '../../core/index.ts';

const BUCKET_MS = 30_000;
/** Less time says nothing. */
const SHORTEST_MS = 1_000;

export class Throughput {
  readonly #clock: Clock;
  #since: number;
  #all = 0;
  #good = 0;
  #before = { ms: 0, all: 0, good: 0 };

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#since = clock.mono();
  }

  accepted(): void {
    this.#turn();
    this.#all++;
    this.#good++;
  }

  refused(): void {
    this.#turn();
    this.#all++;
  }

  /** Undefined: not known yet. */
  perSecond(): number | undefined {
    const ms = this.#ms();
    return ms < SHORTEST_MS || this.#all + this.#before.all === 0
      ? undefined
      : ((this.#all + this.#before.all) / ms) * 1000;
  }

  acceptedPerSecond(): number {
    return ((this.#good + this.#before.good) / Math.max(SHORTEST_MS, this.#ms())) * 1000;
  }

  #ms(): number {
    return this.#clock.mono() - this.#since + this.#before.ms;
  }

  #turn(): void {
    const now = this.#clock.mono();
    const ms = now - this.#since;
    if (ms < BUCKET_MS) return;
    const old = ms >= 2 * BUCKET_MS;
    this.#before = old ? { ms: 0, all: 0, good: 0 } : { ms, all: this.#all, good: this.#good };
    this.#since = now;
    this.#all = this.#good = 0;
  }
}
