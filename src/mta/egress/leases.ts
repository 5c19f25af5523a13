/**
 * The leased mail of a node: brings it from the store to its destination, and back to the store when it is not sent
 * from here. What is in memory is counted by its lane and by the budget from its arrival until it is settled.
 */
import type { LeasedDelivery } from '../../queue/index.ts';
import type { Attempts } from './attempt.ts';
import type { Budget } from './budget.ts';
import type { EgressContext } from './context.ts';
import type { Destination } from './destination.ts';
import { placeOf } from './domain-place.ts';
import type { FlowQueue } from './flow-queue.ts';
import type { Lane } from './lane.ts';
import type { Lanes } from './lanes.ts';
import { withoutOverflow } from './overflow.ts';
import { Seldom } from './report.ts';
import { withoutLocked } from './sender-locks.ts';
import { limitsOf } from './limits-of.ts';

const LEASE_AGAIN_MS = 1_000;

export interface LeasesOptions {
  readonly node: string;
  readonly context: EgressContext;
  readonly attempts: Attempts;
  readonly budget: Budget;
  /** The plan of a queue is not fresh any more: to be looked up before more is leased. */
  readonly replan: (queue: FlowQueue) => void;
  /** Another node of the sender that has room for the ISP of this lane. */
  readonly otherNode: (delivery: LeasedDelivery, laneKey: string) => string | undefined;
}

/** What leases ask of their node. */
export interface LeasesOwner {
  readonly active: boolean;
  mono(): number;
  isDue(queue: FlowQueue): boolean;
  /** The queue is woken when it has something due. */
  notDue(queue: FlowQueue): void;
  /** The queues have something due for the destination. */
  offer(destination: Destination, queues: readonly FlowQueue[]): void;
  giveBackAll(): void;
}

export class Leases {
  readonly #options: LeasesOptions;
  readonly #owner: LeasesOwner;
  readonly #lanes: Lanes;
  readonly #refused: Seldom;

  constructor(options: LeasesOptions, owner: LeasesOwner, lanes: Lanes) {
    this.#options = options;
    this.#owner = owner;
    this.#lanes = lanes;
    this.#refused = new Seldom(options.context.report, 'mail that is due could not be leased, trying again');
  }

  /** Asks the store for what is due in the queue, at most `limit`, of any message or only of this one. */
  take(queue: FlowQueue, limit: number, message?: number): void {
    queue.leasing = true;
    void this.#take(queue, placeOf(queue).destination!, { limit, message });
  }

  /** A delivery that was leased at its acceptance has come. */
  granted(queue: FlowQueue, destination: Destination, delivery: LeasedDelivery): void {
    this.#options.budget.take(delivery.content.length);
    destination.arrived(queue, delivery, true);
  }

  /** The delivery has an outcome, or goes back: it is not in memory any more. */
  settled(lane: Lane, delivery: LeasedDelivery): void {
    lane.inFlight--;
    this.#options.budget.release(delivery.content.length);
    const { context } = this.#options;
    const { locks } = context;
    for (const limit of limitsOf(context, lane, delivery.queue)) limit.settled(delivery.id);
    if (locks.anySender) locks.release(delivery.id);
  }

  giveBack(lane: Lane, deliveries: readonly LeasedDelivery[]): void {
    for (const delivery of deliveries) {
      this.settled(lane, delivery);
      const { wakeAt } = delivery.record;
      void this.#options.context.recorder.record(delivery, { kind: 'released', wakeAt });
    }
  }

  async #take(
    queue: FlowQueue,
    destination: Destination,
    wanted: { readonly limit: number; readonly message: number | undefined },
  ): Promise<void> {
    const { context, node, replan } = this.#options;
    const owner = this.#owner;
    const { lane } = destination;
    const limits = limitsOf(context, lane, queue.head);
    const told = limits.map((limit) => limit.requested(wanted.limit));
    const brought = (what: readonly LeasedDelivery[]): void => told.forEach((tell) => tell(what));
    let taken: readonly LeasedDelivery[] = [];
    try {
      const place = placeOf(queue);
      // One that got old while the mail waited for its turn will do for it, if no other is known yet.
      if (place.planExpiresAtMs <= owner.mono()) replan(queue);
      if (place.leadsTo(destination)) {
        // All that is handed out or may be: the mark of the last request is the one that is kept.
        const marks = [...this.#lanes.marks(lane), ...limits.map((limit) => limit.stored())];
        taken = await context.queue.lease({ queue: queue.head, ...wanted, marks });
      }
    } catch (error) {
      this.#refused.error({ node, domain: queue.head.domain, error });
      brought([]);
      destination.leased(queue, 0);
      destination.pump();
      setTimeout(() => this.#takeAgain(queue), LEASE_AGAIN_MS);
      return;
    }
    queue.leasing = false;
    destination.leased(queue, taken.length);
    // What leaves this node goes first for nobody here.
    const here = withoutLocked(context, lane.key, this.#kept(lane, taken));
    brought(here);
    this.#arrived(queue, destination, here);
    if (!owner.active) {
      owner.giveBackAll();
      return;
    }
    if (lane.locked) this.giveBack(lane, destination.recall());
    const now = placeOf(queue).destination;
    if (now && owner.isDue(queue)) owner.offer(now, [queue]);
    // Its slot stays as it was when the wall clock was set back meanwhile: nobody else would wake it.
    else if (now) owner.notDue(queue);
    destination.pump();
  }

  /** Until now the queue counted as leasing, so that nobody asked a store that fails again and again. */
  #takeAgain(queue: FlowQueue): void {
    queue.leasing = false;
    const { destination } = placeOf(queue);
    if (destination) this.#owner.offer(destination, [queue]);
  }

  /** What of `taken` is to go out from here; the rest is dropped, or on its way to other nodes. */
  #kept(lane: Lane, taken: readonly LeasedDelivery[]): readonly LeasedDelivery[] {
    if (!lane.strategy.drop) return withoutOverflow(this.#options, lane, taken);
    for (const delivery of taken) this.#options.attempts.drop(delivery);
    return [];
  }

  #arrived(queue: FlowQueue, destination: Destination, here: readonly LeasedDelivery[]): void {
    for (const { content } of here) this.#options.budget.take(content.length);
    // The queue's mail may go elsewhere by now, where other limits hold, or by another route.
    const stays = placeOf(queue).leadsTo(destination);
    const back: LeasedDelivery[] = [];
    for (const delivery of here)
      if (stays && !queue.head.keepsBack(delivery.number)) destination.arrived(queue, delivery, false);
      else back.push(delivery);
    const { lane } = destination;
    lane.inFlight += back.length;
    this.giveBack(lane, back);
  }
}
