/** The deliveries of a destination that are in memory and not handed out: flows, and the queues of a flow, take turns. */
import type { LeasedDelivery } from '../../queue/index.ts';
import type { FlowQueue } from './flow-queue.ts';
import type { Shares } from './shares.ts';
import { Turns } from './turns.ts';

export class Ready {
  readonly #shares: Shares;
  readonly #turns = new Turns();
  /** Queues of which a session takes several deliveries just now: nobody else takes from them. */
  readonly #gathering = new Set<FlowQueue>();
  #size = 0;

  constructor(shares: Shares) {
    this.#shares = shares;
  }

  get size(): number {
    return this.#size;
  }

  /** Deliveries that any session may take. */
  get free(): number {
    let free = this.#size;
    for (const { buffered } of this.#gathering) free -= buffered;
    return free;
  }

  queues(): Generator<FlowQueue> {
    return this.#turns.queues();
  }

  put(queue: FlowQueue, delivery: LeasedDelivery, at: 'first' | 'last'): void {
    if (at === 'first') queue.unshift(delivery);
    else queue.push(delivery);
    this.#size++;
    this.#shares.hold(queue.share!, 1);
    this.#turns.add(queue);
  }

  /** The next delivery by turns. */
  next(): LeasedDelivery | undefined {
    if (this.#size === 0) return undefined;
    const queue = this.#gathering.size === 0 ? this.#turns.next() : this.#turns.next(notGathering);
    return queue && this.take(queue);
  }

  /** The first delivery of the queue. */
  take(queue: FlowQueue): LeasedDelivery | undefined {
    const delivery = queue.pop();
    if (!delivery) return undefined;
    this.#turns.took(queue);
    if (queue.buffered === 0) this.#turns.delete(queue);
    this.#size--;
    this.#shares.hold(queue.share!, -1);
    return delivery;
  }

  gathering(queue: FlowQueue): void {
    queue.gathering = true;
    this.#gathering.add(queue);
  }

  gathered(queue: FlowQueue): void {
    queue.gathering = false;
    this.#gathering.delete(queue);
  }

  /** Takes out what there is of the queue. */
  withdraw(queue: FlowQueue): LeasedDelivery[] {
    this.#turns.delete(queue);
    this.#size -= queue.buffered;
    this.#shares.hold(queue.share!, -queue.buffered);
    return queue.drain();
  }

  /** Takes out what has outlived its lifetime. */
  takeExpired(now: number): LeasedDelivery[] {
    const over: LeasedDelivery[] = [];
    for (const queue of [...this.#turns.queues()]) {
      if (queue.gathering || !queue.hasExpired(now)) continue;
      for (const delivery of this.withdraw(queue)) {
        if (delivery.record.expiresAt <= now) over.push(delivery);
        else this.put(queue, delivery, 'last');
      }
    }
    return over;
  }

  /** Takes out everything, in the order of the queues. */
  drain(): LeasedDelivery[] {
    const all: LeasedDelivery[] = [];
    for (const queue of this.#turns.queues()) {
      this.#shares.hold(queue.share!, -queue.buffered);
      all.push(...queue.drain());
    }
    this.#turns.clear();
    this.#size = 0;
    return all;
  }
}

const notGathering = ({ gathering }: FlowQueue): boolean => !gathering;
