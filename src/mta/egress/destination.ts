/**
 * A set of hosts as one node sees it: the queues whose mail goes there, the sessions to it, and who gets the next
 * delivery. Sessions are opened when mail waits and none is idle, kept while there is mail and a little longer, and
 * never opened while the destination rests after it could not be reached.
 *
 * Flows take turns delivery by delivery, and the queues of a flow do (turns.ts): in what is handed to sessions and in
 * what is leased. What is in memory already is ahead of what comes, and that is bounded by the lane's capacity.
 *
 * Mail that waits for a place for a session waits in the store: else that of hosts whose turn comes late would fill the
 * memory, and others would have none.
 */
import type { Refusal } from '../../core/index.ts';
import type { LeasedDelivery } from '../../queue/index.ts';
import type { ClientSession } from '../smtp/index.ts';
import { Demand } from './demand.ts';
import { DestinationPlaces, type OwnerPlaces } from './destination-places.ts';
import type { FlowQueue } from './flow-queue.ts';
import { IdleSessions } from './idle-sessions.ts';
import type { Lane } from './lane.ts';
import { KEPT_SHARE } from './lane-places.ts';
import type { RoutePlan } from './plan.ts';
import { Ready } from './ready.ts';
import { Rest } from './rest.ts';
import { Shares } from './shares.ts';

/** What a destination asks of the node it belongs to. */
export interface DestinationOwner {
  mono(): number;
  /** Whether deliveries may be taken and sent now (node running, not stopping). */
  readonly active: boolean;
  /** Whether there is memory for more content. */
  hasRoom(): boolean;
  readonly places: OwnerPlaces;
  /** Runs one session until there is nothing more for it; never rejects. */
  runSession(destination: Destination): Promise<void>;
  /** How many of `most` deliveries of the queue its campaign lets go now; 0: the owner wakes it when some may. */
  allowed(queue: FlowQueue, most: number): number;
  /** Leases what is due in the queue, at most `limit`, of any message or only of this one. */
  lease(queue: FlowQueue, limit: number, message?: number): void;
  /** The queue has nothing due any more: it is woken when it has. */
  notDue(queue: FlowQueue): void;
  /** To the store. */
  giveBack(lane: Lane, deliveries: readonly LeasedDelivery[]): void;
  now(): number;
  /** How long a session of this one that has no mail is kept from now on. */
  keepIdleMs(destination: Destination): number;
}

export class Destination {
  readonly lane: Lane;
  plan: RoutePlan;
  readonly #owner: DestinationOwner;
  readonly #shares = new Shares();
  /** What is in memory. */
  readonly #ready = new Ready(this.#shares);
  /** What is due in the store. */
  readonly #demand = new Demand(this.#shares);
  readonly #idle = new IdleSessions();
  readonly #rest: Rest;
  readonly #places: DestinationPlaces;
  #claimed = 0;
  #pumping = false;
  #pumpAgain = false;

  constructor(lane: Lane, plan: RoutePlan, owner: DestinationOwner) {
    this.lane = lane;
    this.plan = plan;
    this.#owner = owner;
    this.#places = new DestinationPlaces(this, lane, owner.places);
    this.#rest = new Rest(
      () => owner.mono(),
      () => this.pump(),
    );
  }

  /** Queues with mail that can go now. */
  get queueCount(): number {
    return new Set([...this.#ready.queues(), ...this.#demand.queues(), ...this.#demand.requests()]).size;
  }

  /** From domain of the mail that will have the next session. */
  get waitingFromDomain(): string | undefined {
    for (const queue of this.#ready.queues()) if (queue.first) return queue.first.message.fromDomain;
    return undefined;
  }

  /** Nothing in memory, no session: it can be forgotten. */
  get unused(): boolean {
    const mail = this.#ready.size + this.#demand.size + this.#claimed + this.#demand.leasing;
    return mail + this.#places.sessions === 0;
  }

  /** A session is open, or the last one could be opened. */
  get answered(): boolean {
    return this.#places.answered;
  }

  /** Why it rests, in words; undefined when it does not. */
  resting(): string | undefined {
    return this.#rest.text();
  }

  /**
   * May a new delivery be leased at its acceptance? True reserves a place for it. It does not go past older mail of its
   * queue, and it leaves a place for each flow that waits for one.
   */
  claim(queue: FlowQueue): boolean {
    const { lane } = this;
    if (lane.locks.length > 0) return false;
    const { share, head } = queue;
    const { capacity } = this.#places;
    if (this.#places.none) return false;
    if (!this.#owner.active || !lane.unlimited || lane.strategy.drop || !share) return false;
    if (this.#free(capacity) <= this.#demand.flowsUpTo(share.band)) return false;
    if (head.wakeAt !== Infinity && head.wakeAt <= this.#owner.now()) return false;
    if (this.#shares.left(share, capacity) <= 0 || this.resting() !== undefined) return false;
    this.#claimed++;
    queue.claimed++;
    this.#shares.hold(share, 1);
    return true;
  }

  /** What was claimed does not come: its place is for others. */
  unclaim(queue: FlowQueue): void {
    this.#unclaim(queue);
    this.pump();
  }

  /** A leased delivery has come: by claim, or by `lease`. */
  arrived(queue: FlowQueue, delivery: LeasedDelivery, claimed: boolean): void {
    if (claimed) this.#unclaim(queue);
    this.lane.inFlight++;
    this.#ready.put(queue, delivery, 'last');
  }

  /** The lease request of a queue has ended, and brought so many. */
  leased(queue: FlowQueue, brought: number): void {
    this.lane.leasing -= this.#demand.end(queue, brought);
  }

  /** A session that `runSession` was asked for is over. */
  sessionEnded(): void {
    this.#places.ended();
  }

  /** The queues have (or may have) something due. */
  ready(...queues: readonly FlowQueue[]): void {
    for (const queue of queues) this.#demand.add(queue);
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
    this.#giveUpPlace();
  }

  /** The next delivery for a session; undefined when there is none for `idleMs` or the session shall end. */
  async next(session: ClientSession): Promise<LeasedDelivery | undefined> {
    if (this.#places.mustYield(session.transactions)) return undefined;
    const delivery = this.#pop();
    if (delivery) {
      if (this.#mayConnect()) this.#open();
      this.#leaseMore();
      return delivery;
    }
    this.#leaseMore();
    return this.#waitFor(session);
  }

  // For gather.ts.

  /** Only `takeNext` takes from this queue until it is `gathered`. */
  gathering(queue: FlowQueue): void {
    this.#ready.gathering(queue);
  }

  gathered(queue: FlowQueue): void {
    this.#ready.gathered(queue);
    this.pump();
  }

  /** The first delivery of the queue in memory, handed out as by `next`, if it fits. */
  takeNext(queue: FlowQueue, fits: (delivery: LeasedDelivery) => boolean): LeasedDelivery | undefined {
    return queue.first && fits(queue.first) ? this.#handed(this.#ready.take(queue)) : undefined;
  }

  /** Asks the store for more of a message; undefined when nothing of the queue is due or may be asked for. */
  fetch(queue: FlowQueue, limit: number, message: number): Promise<void> | undefined {
    const { head, place } = queue;
    const pending = this.#demand.pending(queue);
    if (pending) return pending;
    const due = head.wakeAt <= this.#owner.now() && !queue.leasing && !place.resolving && queue.share;
    if (!due || !this.#owner.active || this.lane.locked || !this.#owner.hasRoom()) return undefined;
    this.#demand.delete(queue);
    this.#lease(queue, limit, message);
    return this.#demand.pending(queue);
  }

  /** The delivery goes back to the front: the session was stale, nothing was said about it. */
  putBack(queue: FlowQueue, delivery: LeasedDelivery): void {
    this.#ready.put(queue, delivery, 'first');
  }

  opened(): void {
    this.#rest.opened();
    this.#places.opened();
  }

  /**
   * Sets of hosts share so few sessions that none can be kept for the others: one that is silent must not hold them for
   * long, and not again at once.
   */
  get scarce(): boolean {
    const { places, maxSessions } = this.lane;
    return places.shared && maxSessions < KEPT_SHARE;
  }

  /**
   * No host could be reached, after `heldMs`: the destination rests, one delivery bears the refusal, the others go back.
   */
  openFailed(refusal: Refusal, heldMs = 0): { bearer: LeasedDelivery | undefined; others: LeasedDelivery[] } {
    this.#places.openFailed();
    const [bearer, ...others] = this.#restFor(refusal, heldMs);
    return { bearer, others };
  }

  /** A session was lost in silence after `heldMs`: what is to go back, since the destination rests where places are scarce. */
  wentSilent(refusal: Refusal, heldMs: number): LeasedDelivery[] {
    return this.scarce ? this.#restFor(refusal, heldMs) : [];
  }

  /** The queue sends nothing for now; returns what of it was in memory. */
  withdraw(queue: FlowQueue): LeasedDelivery[] {
    if (!queue.share) return [];
    this.#demand.delete(queue);
    return this.#ready.withdraw(queue);
  }

  /** The queue's mail goes elsewhere from now on; returns what of it was in memory. */
  detach(queue: FlowQueue): LeasedDelivery[] {
    const { share } = queue;
    if (!share) return [];
    const inMemory = this.withdraw(queue);
    this.#claimed -= queue.claimed;
    this.#shares.hold(share, -queue.claimed);
    this.#shares.leave(share);
    queue.share = undefined;
    return inMemory;
  }

  /** The queue's mail comes here from now on. */
  attach(queue: FlowQueue): void {
    queue.share = this.#shares.join(queue.head);
    this.#shares.hold(queue.share, queue.claimed);
    this.#claimed += queue.claimed;
  }

  /** Takes out what has outlived its lifetime while it waited in memory. */
  takeExpired(now: number): LeasedDelivery[] {
    return this.#ready.takeExpired(now);
  }

  /** Ends idle sessions and gives back what waits in memory. */
  stop(): LeasedDelivery[] {
    this.#rest.stop();
    this.evict(this.#idle.size);
    return this.recall();
  }

  /** Gives back what waits in memory; sessions stay. */
  recall(): LeasedDelivery[] {
    for (const queue of [...this.#demand.queues()]) this.#demand.delete(queue);
    this.#giveUpPlace();
    return this.#ready.drain();
  }

  /** The queues whose mail waits here. */
  get waitingQueues(): readonly FlowQueue[] {
    return [...new Set([...this.#demand.queues(), ...this.#ready.queues()])];
  }

  /** Ends up to `count` idle sessions; says how many. */
  evict(count: number): number {
    return this.#idle.evict(count);
  }

  /** The session waits no longer: the peer has closed it, or it was idle for long enough. */
  sessionClosed(session: ClientSession): void {
    this.#idle.closed(session);
  }

  #unclaim(queue: FlowQueue): void {
    this.#claimed--;
    queue.claimed--;
    this.#shares.hold(queue.share!, -1);
  }

  #handOut(): void {
    while (this.#idle.size > 0 && this.#ready.free > 0) {
      const delivery = this.#pop();
      if (!delivery) return;
      this.#idle.feed(delivery);
    }
  }

  #mayConnect(): boolean {
    return this.#ready.free > this.#places.opening && this.#idle.size === 0 && this.resting() === undefined;
  }

  #open(): void {
    while (this.#ready.free > this.#places.opening && this.#places.open()) void this.#owner.runSession(this);
  }

  /** What was leased needs no session. */
  #giveUpPlace(): void {
    if (this.#demand.leasing === 0) this.#places.giveUp();
  }

  /** Places that nobody has taken. */
  #free(capacity: number): number {
    return capacity - this.#ready.size - this.#claimed - this.#demand.leasing;
  }

  #leaseMore(): void {
    if (!this.#owner.active || this.resting() !== undefined) return;
    // What came while there still was room for today would wait for tomorrow here: it moves like the rest.
    if (this.#ready.size > 0 && this.lane.overflows) this.#owner.giveBack(this.lane, this.#ready.drain());
    const demand = this.#demand;
    while (demand.size > 0 && this.#free(this.#places.capacity) > 0 && this.#owner.hasRoom()) {
      const queue = demand.next(this.#places.capacity);
      if (!queue) return;
      const due = queue.head.wakeAt <= this.#owner.now();
      // What is being looked up comes again when that is done.
      const mayGo = due && !queue.place.resolving;
      if (mayGo && !this.#places.readyToLease()) return;
      // The place that was taken may be the last one.
      const { capacity } = this.#places;
      const wish = demand.limit(queue, capacity, Math.max(1, this.#free(capacity)));
      const limit = mayGo ? this.#owner.allowed(queue, wish) : 0;
      if (limit > 0) demand.took(queue, limit);
      demand.delete(queue);
      if (limit > 0) this.#lease(queue, limit);
      else if (!due && !queue.place.resolving) this.#owner.notDue(queue);
    }
  }

  #lease(queue: FlowQueue, limit: number, message?: number): void {
    this.#demand.begin(queue, limit);
    this.lane.leasing += limit;
    this.#owner.lease(queue, limit, message);
  }

  /** Where places are scarce it rests as long as it held one: the others have them at least half of the time. */
  #restFor(refusal: Refusal, heldMs: number): LeasedDelivery[] {
    this.#rest.begin(refusal, this.scarce ? heldMs : 0);
    return this.#ready.drain();
  }

  #pop(): LeasedDelivery | undefined {
    if (this.#ready.size === 0 || !this.#owner.active || !this.lane.mayHandOut()) return undefined;
    return this.#handed(this.#ready.next());
  }

  #handed(delivery: LeasedDelivery | undefined): LeasedDelivery | undefined {
    if (!delivery) return undefined;
    this.lane.promise();
    for (const lock of this.lane.locks) lock.probe = delivery.id;
    return delivery;
  }

  #waitFor(session: ClientSession): Promise<LeasedDelivery | undefined> {
    if (!this.#owner.active || !session.usable || this.lane.places.wanted(this))
      return Promise.resolve(undefined);
    return this.#idle.wait(session, this.#owner.keepIdleMs(this));
  }
}
