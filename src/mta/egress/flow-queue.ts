/** The mail of one queue, as far as it is in memory: what is leased and not yet on its way. */
import type { LeasedDelivery, QueueHead } from '../../queue/index.ts';
import type { Share } from './shares.ts';

/**
 * What a queue asks the store for at first. Often one retry woke it, and what is asked for keeps places from new mail until
 * the store has answered.
 */
const FIRST_ASK = 4;

/** What a queue knows of where its mail goes. */
export interface Place {
  /** That is being looked up. */
  resolving: boolean;
}

export class FlowQueue {
  readonly head: QueueHead;
  /** Where mail of this node and domain goes. */
  readonly place: Place;
  /** Its flow's part of the places at its destination. */
  share: Share | undefined;
  /** A lease request is under way; there is never more than one. */
  leasing = false;
  /** What the next request may ask for. */
  asks = FIRST_ASK;
  /** More of the message of its first delivery is being fetched: nobody else takes from it. */
  gathering = false;
  /** Places reserved for deliveries whose acceptance is being committed. */
  claimed = 0;
  #buffer: LeasedDelivery[] = [];
  #head = 0;

  constructor(head: QueueHead, place: Place) {
    this.head = head;
    this.place = place;
  }

  get buffered(): number {
    return this.#buffer.length - this.#head;
  }

  /** Nothing in memory and nothing under way. */
  get idle(): boolean {
    return this.buffered + this.claimed === 0 && !this.leasing && !this.place.resolving;
  }

  /** What a request for `limit` has brought: all of it, so there is more, and the next one may ask for twice as much. */
  brought(count: number, limit: number): void {
    this.asks = count < limit ? FIRST_ASK : Math.max(FIRST_ASK, 2 * limit);
  }

  get first(): LeasedDelivery | undefined {
    return this.#buffer[this.#head];
  }

  /** Whether the lifetime of any of it is over. */
  hasExpired(now: number): boolean {
    for (let at = this.#head; at < this.#buffer.length; at++)
      if (this.#buffer[at]!.record.expiresAt <= now) return true;
    return false;
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
