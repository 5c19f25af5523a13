/** The mail of one node for one recipient domain, as far as it is in memory: what is leased and not yet on its way. */
import type { LeasedDelivery } from '../../queue/index.ts';

export class DomainQueue {
  readonly node: string;
  readonly domain: string;
  /** A lease request is under way; there is never more than one. */
  leasing = false;
  /** The plan is being looked up. */
  resolving = false;
  /** When the plan by which it has its destination is to be looked up again (monotonic ms). */
  planExpiresAtMs = -Infinity;
  /** Wall time (ms) for which the queue stands in the wake heap; Infinity when it does not. */
  armedAt = Infinity;
  /** Places reserved for deliveries whose acceptance is being committed. */
  claimed = 0;
  #buffer: LeasedDelivery[] = [];
  #head = 0;

  constructor(node: string, domain: string) {
    this.node = node;
    this.domain = domain;
  }

  get buffered(): number {
    return this.#buffer.length - this.#head;
  }

  /** Nothing in memory and nothing under way. */
  get idle(): boolean {
    return this.buffered + this.claimed === 0 && !this.leasing && !this.resolving;
  }

  push(delivery: LeasedDelivery): void {
    this.#buffer.push(delivery);
  }

  /** Puts one back at the front. */
  unshift(delivery: LeasedDelivery): void {
    if (this.#head > 0) this.#buffer[--this.#head] = delivery;
    else this.#buffer.unshift(delivery);
  }

  pop(): LeasedDelivery | undefined {
    if (this.#head === this.#buffer.length) return undefined;
    const delivery = this.#buffer[this.#head]!;
    this.#head++;
    if (this.#head === this.#buffer.length) {
      this.#buffer = [];
      this.#head = 0;
    }
    return delivery;
  }

  /** Everything, in order; the buffer is empty afterwards. */
  drain(): LeasedDelivery[] {
    const rest = this.#buffer.slice(this.#head);
    this.#buffer = [];
    this.#head = 0;
    return rest;
  }
}
