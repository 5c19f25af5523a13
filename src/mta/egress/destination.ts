/**
 * A set of hosts as one node sees it: the queues whose mail goes there, the sessions to it, and who gets the next
 * delivery. Sessions are opened when mail waits and none is idle, kept while there is mail and a little longer, and
 * never opened while the destination rests after it could not be reached.
 *
 * Queues take turns delivery by delivery, so a long one does not delay a short one.
 */
import type { Refusal } from '../../core/index.ts';
import type { LeasedDelivery } from '../../queue/index.ts';
import type { ClientSession } from '../smtp/index.ts';
import type { DomainQueue } from './domain-queue.ts';
import type { Lane } from './lane.ts';
import type { RoutePlan } from './plan.ts';
import { restMs } from './rest.ts';

/** What a destination asks of the node it belongs to. */
export interface DestinationOwner {
  mono(): number;
  /** Whether deliveries may be taken and sent now (node running, not stopping). */
  readonly active: boolean;
  /** Whether there is memory for more content. */
  hasRoom(): boolean;
  /** Reserves a place for a session; false when the node has as many as it may. */
  reserveSession(destination: Destination): boolean;
  /** Runs one session until there is nothing more for it; never rejects. */
  runSession(destination: Destination): Promise<void>;
  /** Leases what is due in the queue, at most `limit`; comes back by `granted`. */
  lease(queue: DomainQueue, limit: number): void;
  dueAt(queue: DomainQueue): number;
  now(): number;
  idleMs(): number;
}

type Waiter = (delivery: LeasedDelivery | undefined) => void;

export class Destination {
  readonly lane: Lane;
  readonly #owner: DestinationOwner;
  #plan: RoutePlan;
  /** Queues with something to do, in the order of their turns. */
  readonly #turns = new Set<DomainQueue>();
  readonly #idle: {
    readonly session: ClientSession;
    readonly wake: Waiter;
    readonly timer: NodeJS.Timeout;
  }[] = [];
  #buffered = 0;
  #claimed = 0;
  #leasing = 0;
  #opening = 0;
  #failures = 0;
  #restUntil = 0;
  #restReason = '';
  #restTimer: NodeJS.Timeout | undefined;
  /** Sessions that are open or being opened. */
  #sessions = 0;
  #pumping = false;
  #pumpAgain = false;

  constructor(lane: Lane, plan: RoutePlan, owner: DestinationOwner) {
    this.lane = lane;
    this.#plan = plan;
    this.#owner = owner;
  }

  get plan(): RoutePlan {
    return this.#plan;
  }

  set plan(plan: RoutePlan) {
    this.#plan = plan;
  }

  get queueCount(): number {
    return this.#turns.size;
  }

  /** Nothing in memory, no session: it can be forgotten. */
  get unused(): boolean {
    return this.#turns.size === 0 && this.#claimed + this.#leasing + this.#sessions === 0;
  }

  /** Why it rests, in words; undefined when it does not. */
  resting(): string | undefined {
    const ms = this.#restUntil - this.#owner.mono();
    return ms > 0 ? `next connection in ${Math.ceil(ms / 1000)} s, after: ${this.#restReason}` : undefined;
  }

  /** May a new delivery be leased at its acceptance? True reserves a place for it. */
  claim(queue: DomainQueue): boolean {
    const { lane } = this;
    const free = lane.capacity - this.#buffered - this.#claimed - this.#leasing;
    if (!this.#owner.active || !lane.limiter.unlimited || lane.strategy.drop) return false;
    if (free <= 0 || this.resting() !== undefined) return false;
    this.#claimed++;
    queue.claimed++;
    return true;
  }

  unclaim(queue: DomainQueue): void {
    this.#claimed--;
    queue.claimed--;
  }

  /** A leased delivery has come: by claim, or by `lease`. */
  arrived(queue: DomainQueue, delivery: LeasedDelivery, claimed: boolean): void {
    if (claimed) this.unclaim(queue);
    queue.push(delivery);
    this.#buffered++;
    this.lane.inFlight++;
    this.#turns.add(queue);
  }

  /** A lease request of `limit` has ended. */
  leased(limit: number): void {
    this.#leasing -= limit;
    this.lane.leasing -= limit;
  }

  /** A session that `runSession` was asked for is over. */
  sessionEnded(): void {
    this.#sessions--;
    this.lane.sessions--;
  }

  /** The queue has (or may have) something due. */
  ready(queue: DomainQueue): void {
    this.#turns.add(queue);
    this.pump();
  }

  /** Hands out, opens and leases as far as it makes sense now. Cheap when there is nothing to do. */
  pump(): void {
    // Asked for in the middle of it, for instance by a plan that was looked up: once more, or a queue is forgotten.
    this.#pumpAgain = true;
    if (this.#pumping) return;
    this.#pumping = true;
    try {
      while (this.#pumpAgain && this.#owner.active) {
        this.#pumpAgain = false;
        this.#handOut();
        if (this.#mayConnect()) this.#open();
        this.#leaseMore();
      }
    } finally {
      this.#pumping = false;
    }
  }

  /** The next delivery for a session; undefined when there is none for `idleMs` or the session shall end. */
  async next(session: ClientSession): Promise<LeasedDelivery | undefined> {
    const delivery = this.#pop();
    if (delivery) {
      this.#leaseMore();
      return delivery;
    }
    this.#leaseMore();
    return this.#waitFor(session);
  }

  /** The delivery goes back to the front: the session was stale, nothing was said about it. */
  putBack(queue: DomainQueue, delivery: LeasedDelivery): void {
    queue.unshift(delivery);
    this.#buffered++;
    this.#turns.add(queue);
  }

  opened(): void {
    this.#opening--;
    this.#failures = 0;
  }

  /** No host could be reached: the destination rests, one delivery bears the refusal, the others go back. */
  openFailed(refusal: Refusal): { bearer: LeasedDelivery | undefined; others: LeasedDelivery[] } {
    this.#opening--;
    this.#rest(refusal);
    const all = [...this.#turns].flatMap((queue) => queue.drain());
    this.#buffered = 0;
    return { bearer: all[0], others: all.slice(1) };
  }

  /** The queue's mail goes elsewhere from now on; returns what of it was in memory. */
  detach(queue: DomainQueue): LeasedDelivery[] {
    this.#turns.delete(queue);
    this.#claimed -= queue.claimed;
    this.#buffered -= queue.buffered;
    return queue.drain();
  }

  /** The queue's mail comes here from now on. */
  attach(queue: DomainQueue): void {
    this.#claimed += queue.claimed;
  }

  /** Ends idle sessions and gives back what waits in memory. Without its timer a rest would have no end. */
  stop(): LeasedDelivery[] {
    clearTimeout(this.#restTimer);
    this.#restUntil = 0;
    this.evict(this.#idle.length);
    const all = [...this.#turns].flatMap((queue) => queue.drain());
    this.#buffered = 0;
    this.#turns.clear();
    return all;
  }

  /** Ends up to `count` idle sessions; says how many. */
  evict(count: number): number {
    const evicted = this.#idle.splice(0, count);
    for (const { wake, timer } of evicted) {
      clearTimeout(timer);
      wake(undefined);
    }
    return evicted.length;
  }

  /** The session waits no longer: the peer has closed it, or it was idle for long enough. */
  sessionClosed(session: ClientSession): void {
    const at = this.#idle.findIndex((waiter) => waiter.session === session);
    if (at < 0) return;
    const [waiter] = this.#idle.splice(at, 1);
    clearTimeout(waiter!.timer);
    waiter!.wake(undefined);
  }

  /** Sessions that were being opened when the rest began do not make it longer. */
  #rest(refusal: Refusal): void {
    if (this.resting() !== undefined) return;
    const ms = restMs(++this.#failures);
    this.#restUntil = this.#owner.mono() + ms;
    this.#restReason = refusal.reply ? `${refusal.reply.code} ${refusal.reply.text}` : refusal.text;
    clearTimeout(this.#restTimer);
    this.#restTimer = setTimeout(() => {
      this.#restUntil = 0;
      this.pump();
    }, ms);
  }

  #handOut(): void {
    while (this.#idle.length > 0 && this.#buffered > 0) {
      const delivery = this.#pop();
      if (!delivery) return;
      const { wake, timer } = this.#idle.pop()!;
      clearTimeout(timer);
      wake(delivery);
    }
  }

  #mayConnect(): boolean {
    return this.#buffered > this.#opening && this.#idle.length === 0 && this.resting() === undefined;
  }

  #open(): void {
    const { lane } = this;
    while (this.#buffered > this.#opening && lane.sessions < lane.strategy.concurrentConnections) {
      if (!lane.mayHandOut() || !this.#owner.reserveSession(this)) return;
      this.#opening++;
      this.#sessions++;
      lane.sessions++;
      void this.#owner.runSession(this);
    }
  }

  #leaseMore(): void {
    if (!this.#owner.active || this.resting() !== undefined) return;
    let free = this.lane.capacity - this.#buffered - this.#claimed - this.#leasing;
    for (const queue of this.#turns) {
      if (free <= 0 || !this.#owner.hasRoom()) return;
      if (queue.leasing || queue.resolving) continue;
      if (this.#owner.dueAt(queue) > this.#owner.now()) {
        if (queue.buffered === 0) this.#turns.delete(queue);
        continue;
      }
      const limit = Math.min(free, Math.max(1, Math.ceil(this.lane.capacity / this.#turns.size)));
      this.#leasing += limit;
      this.lane.leasing += limit;
      free -= limit;
      this.#owner.lease(queue, limit);
    }
  }

  #pop(): LeasedDelivery | undefined {
    if (this.#buffered === 0 || !this.#owner.active || !this.lane.mayHandOut()) return undefined;
    for (const queue of this.#turns) {
      const delivery = queue.pop();
      this.#turns.delete(queue);
      const more = queue.buffered > 0 || queue.leasing || this.#owner.dueAt(queue) <= this.#owner.now();
      if (more) this.#turns.add(queue);
      if (!delivery) continue;
      this.#buffered--;
      this.lane.promise();
      return delivery;
    }
    return undefined;
  }

  #waitFor(session: ClientSession): Promise<LeasedDelivery | undefined> {
    if (!this.#owner.active || !session.usable) return Promise.resolve(undefined);
    return new Promise((wake) => {
      const timer = setTimeout(() => this.sessionClosed(session), this.#owner.idleMs());
      this.#idle.push({ session, wake, timer });
    });
  }
}
