/** Where the mail of one node for one recipient domain goes, for all queues of that domain. */
import type { LeasedDelivery } from '../../queue/index.ts';
import type { Destination } from './destination.ts';
import type { FlowQueue, Place } from './flow-queue.ts';
import type { Lane } from './lane.ts';

export class DomainPlace implements Place {
  readonly domain: string;
  readonly queues = new Set<FlowQueue>();
  /** Undefined while nobody has asked where it is. */
  destination: Destination | undefined;
  /** The plan is being looked up. */
  resolving = false;
  /** When the plan by which it has its destination is to be looked up again (monotonic ms). */
  planExpiresAtMs = -Infinity;

  constructor(domain: string) {
    this.domain = domain;
  }

  /** Routes and ISPs may be others now: what has not been sent finds its way anew. */
  outdate(): void {
    this.planExpiresAtMs = -Infinity;
  }

  /** Whether mail that was asked for when it went there still does; a plan that is merely old will do for it. */
  leadsTo(destination: Destination): boolean {
    return this.destination === destination && this.planExpiresAtMs !== -Infinity;
  }

  /** The mail goes there from now on; what waited in memory for another destination is given back. */
  goTo(destination: Destination, giveBack: (lane: Lane, waiting: readonly LeasedDelivery[]) => void): void {
    const before = this.destination;
    this.destination = destination;
    if (before === destination) return;
    for (const queue of this.queues) {
      if (before) giveBack(before.lane, before.detach(queue));
      destination.attach(queue);
    }
  }

  /** The queue is forgotten. True when it was the last one. */
  without(queue: FlowQueue): boolean {
    this.queues.delete(queue);
    this.destination?.detach(queue);
    return this.queues.size === 0;
  }
}

/** Only nodes make queues, with a place of theirs. */
export const placeOf = ({ place }: FlowQueue): DomainPlace => place as DomainPlace;
