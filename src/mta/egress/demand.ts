/**
 * What a destination wants from the store: queues with something due there that nobody has asked for yet, and lease
 * requests under way. Flows take turns (turns.ts) and none takes the places of the others (shares.ts).
 */
import type { FlowQueue } from './flow-queue.ts';
import type { Share, Shares } from './shares.ts';
import { PATIENCE, Turns } from './turns.ts';

interface Request {
  readonly share: Share;
  readonly limit: number;
  readonly ended: PromiseWithResolvers<void>;
}

export class Demand {
  readonly #shares: Shares;
  /** Queues with something due in the store that nobody has asked for yet. */
  readonly #due = new Turns();
  /** Places that lease requests under way have taken. */
  readonly #requests = new Map<FlowQueue, Request>();
  #leasing = 0;

  constructor(shares: Shares) {
    this.#shares = shares;
  }

  /** Queues that wait to be asked for. */
  get size(): number {
    return this.#due.size;
  }

  /** Deliveries that requests under way may bring. */
  get leasing(): number {
    return this.#leasing;
  }

  queues(): Generator<FlowQueue> {
    return this.#due.queues();
  }

  requests(): Iterable<FlowQueue> {
    return this.#requests.keys();
  }

  flowsUpTo(band: number): number {
    return this.#due.flowsUpTo(band);
  }

  add(queue: FlowQueue): void {
    if (!queue.leasing && queue.share && this.#due.add(queue)) this.#shares.due(queue.share, 1);
  }

  delete(queue: FlowQueue): void {
    if (this.#due.delete(queue)) this.#shares.due(queue.share!, -1);
  }

  /** The queue whose turn it is, among those whose flow has a place left. */
  next(capacity: number): FlowQueue | undefined {
    return this.#due.next(({ share }) => this.#shares.left(share!, capacity) > 0);
  }

  /** The queue had its turn, worth so many deliveries. */
  took(queue: FlowQueue, limit: number): void {
    this.#due.took(queue, limit);
  }

  /**
   * As much as there is room for and the queue asks for, shared with the other queues of the flow, and soon over when
   * other bands wait. `free` of `capacity` places are nobody's.
   */
  limit(queue: FlowQueue, capacity: number, free: number): number {
    const share = this.#shares.left(queue.share!, capacity);
    const each = Math.max(1, Math.ceil(share / this.#due.siblings(queue)));
    const limit = Math.min(free, each, queue.asks);
    return this.#due.othersThan(queue.share!.band) ? Math.min(limit, PATIENCE) : limit;
  }

  /** A lease request of the queue begins. */
  begin(queue: FlowQueue, limit: number): void {
    const share = queue.share!;
    this.#requests.set(queue, { share, limit, ended: Promise.withResolvers() });
    this.#shares.hold(share, limit);
    this.#leasing += limit;
  }

  /** Resolves when the request of the queue that is under way has ended. */
  pending(queue: FlowQueue): Promise<void> | undefined {
    return this.#requests.get(queue)?.ended.promise;
  }

  /** It has ended and brought so many; says how many places it had taken. */
  end(queue: FlowQueue, brought: number): number {
    const { share, limit, ended } = this.#requests.get(queue)!;
    this.#requests.delete(queue);
    this.#shares.hold(share, -limit);
    this.#leasing -= limit;
    queue.brought(brought, limit);
    ended.resolve();
    return limit;
  }
}
