/** Where the mail of one node for one recipient domain goes, for all queues of that domain. */
import type { Destination } from './destination.ts';
import type { FlowQueue, Place } from './flow-queue.ts';

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
}

/** Only nodes make queues, with a place of theirs. */
export const placeOf = ({ place }: FlowQueue): DomainPlace => place as DomainPlace;
