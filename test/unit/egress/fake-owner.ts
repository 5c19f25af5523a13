/** A node that is only numbers: a destination can be played with it, without a store and without sockets. */
import type { LeasedDelivery, QueueHead } from '../../../src/queue/index.ts';
import type { StrategyConfig } from '../../../src/config/index.ts';
import { Destination, type DestinationOwner } from '../../../src/mta/egress/destination.ts';
import type { OwnerPlaces } from '../../../src/mta/egress/destination-places.ts';
import { DomainPlace } from '../../../src/mta/egress/domain-place.ts';
import { FlowQueue } from '../../../src/mta/egress/flow-queue.ts';
import { Lane } from '../../../src/mta/egress/lane.ts';
import type { RoutePlan } from '../../../src/mta/egress/plan.ts';
import type { ClientSession } from '../../../src/mta/smtp/index.ts';
import { headOf, leased } from './leased.ts';
import { strategy } from './strategy.ts';
import { TwoClocks } from './two-clocks.ts';

const PLAN: RoutePlan = {
  key: 'mx.one.test',
  tls: null,
  hostNames: ['mx.one.test'],
  hosts: () => [],
  expiresAtMs: Infinity,
};

export interface LeaseAsked {
  readonly queue: FlowQueue;
  readonly limit: number;
}

export class FakeOwner implements DestinationOwner {
  readonly clock = new TwoClocks();
  readonly lane: Lane;
  readonly destination: Destination;
  /** Deliveries of each queue that are due in the store; without an entry: none. */
  readonly due = new Map<FlowQueue, number>();
  /** Lease requests that wait for `answer`. */
  readonly asked: LeaseAsked[] = [];
  active = true;
  room = true;
  maxSessions = Infinity;
  /** Sessions that are open or being opened. */
  sessions = 0;
  #opened = 0;
  readonly idle = 10_000;
  /** Called instead of keeping a lease request. */
  onLease: ((queue: FlowQueue, limit: number) => void) | undefined;

  constructor(wish: Partial<StrategyConfig> = {}) {
    const { clock } = this;
    const onToken = (): void => this.destination.pump();
    this.lane = new Lane({
      key: 'isp:x',
      isp: 'x',
      strategy: strategy(wish),
      timezone: 'UTC',
      clock,
      mark: undefined,
      onToken,
    });
    this.destination = new Destination(this.lane, PLAN, this);
  }

  allowed = (_queue: FlowQueue, most: number): number => most;
  mono = (): number => this.clock.mono();
  now = (): number => this.clock.now();
  hasRoom = (): boolean => this.room;
  keepIdleMs = (): number => this.idle;
  readonly places = this.#makePlaces();
  notDue = (): undefined => undefined;
  giveBack = (): undefined => undefined;

  #makePlaces(): OwnerPlaces {
    const full = (): boolean => this.sessions >= this.maxSessions;
    return {
      get short() {
        return full();
      },
      reserve: () => {
        if (full()) return false;
        this.sessions++;
        return true;
      },
      opened: () => undefined,
      mustYield: () => false,
      ended: () => void this.sessions--,
    };
  }

  /** The session never ends by itself: tests call `opened`, `next` and so on in its place. */
  runSession(): Promise<void> {
    return new Promise(() => undefined);
  }

  /** Sessions that are being opened are open and take a delivery each, until no more are opened. */
  openAll(): void {
    for (let open = this.#opened; open < this.sessions; open++) {
      this.destination.opened();
      this.#opened++;
      void this.destination.next(session());
      this.answerAll();
    }
  }

  /** All sessions end. */
  endAll(): void {
    for (; this.sessions > 0; this.sessions--) this.destination.sessionEnded();
    this.#opened = 0;
  }

  lease(queue: FlowQueue, limit: number): void {
    queue.leasing = true;
    if (this.onLease) this.onLease(queue, limit);
    else this.asked.push({ queue, limit });
  }

  /** A queue with so much that is due; its flow is the campaign. */
  queue(domain: string, due: number, { rank, campaign }: Partial<QueueHead> = {}): FlowQueue {
    const wish = { domain, campaign: campaign ?? domain, ...(rank === undefined ? {} : { rank }) };
    const queue = new FlowQueue(headOf(wish), new DomainPlace(domain));
    this.destination.attach(queue);
    this.setDue(queue, due);
    return queue;
  }

  setDue(queue: FlowQueue, due: number): void {
    this.due.set(queue, due);
    (queue.head as { wakeAt: number }).wakeAt = due > 0 ? 0 : Infinity;
  }

  /** The store answers the oldest lease request; says what it gave. */
  answer(): readonly LeasedDelivery[] {
    const { queue, limit } = this.asked.shift()!;
    const due = this.due.get(queue)!;
    const taken = Array.from({ length: Math.min(due, limit) }, () =>
      leased({ recipient: `a@${queue.head.domain}`, queue: queue.head }),
    );
    this.setDue(queue, due - taken.length);
    queue.leasing = false;
    this.destination.leased(queue, taken.length);
    for (const delivery of taken) this.destination.arrived(queue, delivery, false);
    if (due > taken.length) this.destination.ready(queue);
    else this.destination.pump();
    return taken;
  }

  /** Answers until nothing is asked any more. */
  answerAll(): void {
    while (this.asked.length > 0) this.answer();
  }
}

/** As much of a session as a destination looks at. */
export const session = (usable = true): ClientSession => ({ usable }) as unknown as ClientSession;

/** Whether a promise is settled, after all that can happen now has happened. */
export async function stateOf<T>(promise: Promise<T>): Promise<T | 'waiting'> {
  const turn = new Promise<'waiting'>((resolve) => setImmediate(() => resolve('waiting')));
  return Promise.race([promise, turn]);
}
