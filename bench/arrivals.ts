/** Who has got mail at the receiver, and who is refused: by the number in `u<number>@...`, a few bits for each. */
import type { Refusals } from './workloads.ts';

export interface Arrived {
  /** Recipients that have got a message, and how many have got one again. */
  readonly recipients: number;
  readonly duplicates: number;
  readonly bytes: number;
  /** Wall time of the last message, ms since the epoch with fractions. */
  readonly lastAtMs: number;
  readonly sessionsMax: number;
  /** Messages with a DKIM-Signature field; only counted where it was asked for. */
  readonly signed: number;
}

const [ARRIVED, REFUSED_ONCE] = [1, 2];
const FIRST_SIZE = 1 << 16;

interface Waiter {
  readonly recipients: number;
  readonly resolve: () => void;
}

export class Arrivals {
  readonly #refusals: Refusals | undefined;
  #flags = new Uint8Array(FIRST_SIZE);
  #recipients = 0;
  #duplicates = 0;
  #bytes = 0;
  #signed = 0;
  #lastAt = 0;
  #sessions = 0;
  #sessionsMax = 0;
  #waiter: Waiter | undefined;

  constructor(refusals: Refusals | undefined) {
    this.#refusals = refusals;
  }

  opened(): void {
    this.#sessionsMax = Math.max(this.#sessionsMax, ++this.#sessions);
  }

  closed(): void {
    this.#sessions--;
  }

  /** What a recipient is answered, as the workload says. */
  verdict(index: number): 'take' | 'never' | 'later' {
    if (this.#refusals === undefined) return 'take';
    const { always, onceEvery } = this.#refusals;
    if (always.includes(index % 100)) return 'never';
    if (index % onceEvery !== 0 || this.#marked(index, REFUSED_ONCE)) return 'take';
    this.#flags[index]! |= REFUSED_ONCE;
    return 'later';
  }

  taken(recipients: readonly number[], bytes: number, signed: boolean): void {
    for (const index of recipients) {
      if (this.#marked(index, ARRIVED)) this.#duplicates++;
      else {
        this.#flags[index]! |= ARRIVED;
        this.#recipients++;
      }
    }
    this.#bytes += bytes;
    if (signed) this.#signed++;
    this.#lastAt = performance.now();
    if (this.#waiter !== undefined && this.#recipients >= this.#waiter.recipients) this.#waiter.resolve();
  }

  /** Waits until so many have arrived since the start, or for the deadline. */
  async until(recipients: number, deadlineMs: number): Promise<Arrived> {
    if (this.#recipients < recipients) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#waiter = { recipients, resolve };
      const timer = setTimeout(resolve, deadlineMs);
      await promise;
      clearTimeout(timer);
      this.#waiter = undefined;
    }
    return {
      recipients: this.#recipients,
      duplicates: this.#duplicates,
      bytes: this.#bytes,
      lastAtMs: performance.timeOrigin + this.#lastAt,
      sessionsMax: this.#sessionsMax,
      signed: this.#signed,
    };
  }

  #marked(index: number, flag: number): boolean {
    if (index >= this.#flags.length) {
      const grown = new Uint8Array(Math.max(index + 1, this.#flags.length * 2));
      grown.set(this.#flags);
      this.#flags = grown;
    }
    return (this.#flags[index]! & flag) !== 0;
  }
}
