/**
 * A node: one source address, its queues, lanes, destinations and sessions. It shares nothing with other nodes, so it
 * could live in a thread of its own. It sends only from its address: when that is not on the machine the node is
 * down, and its mail waits.
 */
import type { NodeConfig } from '../../config/index.ts';
import type { LeasedDelivery, QueueHead } from '../../queue/index.ts';
import type { Attempts } from './attempt.ts';
import type { Budget } from './budget.ts';
import type { EgressContext } from './context.ts';
import { Destination, type DestinationOwner } from './destination.ts';
import { DomainPlace, placeOf } from './domain-place.ts';
import { FlowQueue } from './flow-queue.ts';
import type { Lane } from './lane.ts';
import { laneStatus } from './lane-status.ts';
import { Lanes } from './lanes.ts';
import type { RoutePlan } from './plan.ts';
import { withoutOverflow } from './overflow.ts';
import { senderLocked, withoutLocked } from './sender-locks.ts';
import { type SessionOwner, Sessions } from './sessions.ts';
import type { NodeState, NodeStatus } from './status.ts';

const LEASE_AGAIN_MS = 1_000;

export interface NodeOptions {
  readonly config: NodeConfig;
  readonly context: EgressContext;
  readonly attempts: Attempts;
  readonly budget: Budget;
  /** Mail waits behind a lock: it may have to move. */
  readonly locked: (queue: FlowQueue, lane: Lane) => void;
  /** The plan of a queue is not fresh any more: to be looked up before more is leased. */
  readonly replan: (queue: FlowQueue) => void;
  /** The queue's next slot wakes later. */
  readonly sleep: (queue: FlowQueue) => void;
  /** Another node of the sender that has room for the ISP of this lane. */
  readonly otherNode: (delivery: LeasedDelivery, laneKey: string) => string | undefined;
}

export class Node implements DestinationOwner, SessionOwner {
  readonly name: string;
  generation = 0;
  readonly #options: NodeOptions;
  readonly #lanes: Lanes;
  readonly #destinations = new Map<string, Destination>();
  readonly #queues = new Map<QueueHead, FlowQueue>();
  readonly #places = new Map<string, DomainPlace>();
  /** Destinations that could not have a session because the node has as many as it may. */
  readonly #full = new Set<Destination>();
  readonly #sessions: Sessions;
  #config: NodeConfig;
  #state: NodeState = 'down';
  #stopping = false;
  #sessionCount = 0;

  constructor(options: NodeOptions) {
    this.#options = options;
    this.#config = options.config;
    this.name = options.config.name;
    this.#lanes = new Lanes(options.config, options.context, (lane) => this.pump(lane));
    this.#sessions = new Sessions(this, options.context, options.attempts);
  }

  get config(): NodeConfig {
    return this.#config;
  }

  get state(): NodeState {
    return this.#state;
  }

  get active(): boolean {
    return (this.#state === 'running' || this.#state === 'draining') && !this.#stopping;
  }

  setState(state: NodeState): void {
    this.#state = state;
    if (this.active) this.pump();
    else this.giveBackAll();
  }

  /** The caller wakes the queues afterwards. Sessions stay when what they were opened for still holds. */
  configure(config: NodeConfig, { sessionsFit }: { readonly sessionsFit: boolean }): void {
    const fit =
      sessionsFit && config.address === this.#config.address && config.hostname === this.#config.hostname;
    this.#config = config;
    this.#lanes.configure(config);
    // Routes and ISPs may be others now: what has not been sent finds its way anew.
    for (const place of this.#places.values()) place.planExpiresAtMs = -Infinity;
    if (!fit) this.generation++;
    for (const destination of this.#destinations.values())
      this.giveBack(destination.lane, fit ? destination.recall() : destination.stop());
  }

  /** Other locks hold now: what is in memory behind them goes back, and moves if they say so; the rest goes on. */
  relock(): void {
    this.#lanes.relock();
    for (const destination of this.#destinations.values()) {
      const waiting = destination.lane.locked ? destination.waitingQueues : [];
      if (destination.lane.locked) this.giveBack(destination.lane, destination.stop());
      else destination.pump();
      this.#offer(destination, waiting);
    }
  }

  queue(head: QueueHead): FlowQueue {
    let queue = this.#queues.get(head);
    if (queue) return queue;
    let place = this.#places.get(head.domain);
    if (!place) this.#places.set(head.domain, (place = new DomainPlace(head.domain)));
    this.#queues.set(head, (queue = new FlowQueue(head, place)));
    place.queues.add(queue);
    place.destination?.attach(queue);
    return queue;
  }

  /** The queue if it is in memory. */
  knownQueue(head: QueueHead): FlowQueue | undefined {
    return this.#queues.get(head);
  }

  /** Where mail for the domain goes, as far as that is known. */
  placeOf(domain: string): DomainPlace | undefined {
    return this.#places.get(domain);
  }

  /** The queue has something due. False when it is not known (any more) where it goes. */
  ready(queue: FlowQueue): boolean {
    const place = placeOf(queue);
    if (!place.destination || place.planExpiresAtMs <= this.mono()) return false;
    this.#offer(place.destination, [queue]);
    return true;
  }

  /**
   * The mail of a domain goes where the plan says; `isp` undefined means that the hosts themselves are the ISP. What
   * waited in memory for another destination goes back to the store first.
   */
  assign(place: DomainPlace, plan: RoutePlan, isp: string | undefined): void {
    const destination = this.#destination(plan, isp);
    place.planExpiresAtMs = plan.expiresAtMs;
    place.goTo(destination, (lane, deliveries) => this.giveBack(lane, deliveries));
    this.#options.context.queue.ispFound([...place.queues].map(({ head }) => head));
    this.#offer(
      destination,
      [...place.queues].filter((queue) => this.isDue(queue)),
    );
  }

  isDue({ head }: FlowQueue): boolean {
    return head.wakeAt <= this.now();
  }

  /** May a new delivery be leased at its acceptance? True reserves a place for it. */
  claim(head: QueueHead): boolean {
    const place = this.#places.get(head.domain);
    if (!place?.destination || place.planExpiresAtMs <= this.mono()) return false;
    const queue = this.queue(head);
    return (
      !senderLocked(this.#options.context, queue, place.destination.lane) && place.destination.claim(queue)
    );
  }

  unclaim(head: QueueHead): void {
    const queue = this.#queues.get(head);
    if (queue) placeOf(queue).destination?.unclaim(queue);
  }

  /** A delivery that was leased at its acceptance has come; false when this node cannot send it (any more). */
  granted(delivery: LeasedDelivery): boolean {
    const queue = this.#queues.get(delivery.queue);
    const destination = queue && placeOf(queue).destination;
    if (!queue || !destination || queue.claimed === 0) return false;
    const locked = destination.lane.locked || senderLocked(this.#options.context, queue, destination.lane);
    if (locked || !this.active || queue.head.held || placeOf(queue).planExpiresAtMs <= this.mono()) {
      destination.unclaim(queue);
      return false;
    }
    this.#options.budget.take(delivery.content.length);
    destination.arrived(queue, delivery, true);
    destination.pump();
    return true;
  }

  /** An operator holds the queue: what of it waits in memory goes back. */
  held(head: QueueHead): void {
    const queue = this.#queues.get(head);
    const destination = queue && placeOf(queue).destination;
    if (queue && destination) this.giveBack(destination.lane, destination.withdraw(queue));
  }

  /** All destinations, or those of one lane. */
  pump(lane?: Lane): void {
    for (const destination of this.#destinations.values())
      if (lane === undefined || destination.lane === lane) destination.pump();
  }

  /** Nothing more goes to this ISP today, and other nodes may take its mail. */
  isFull(laneKey: string): boolean {
    return this.#lanes.known(laneKey)?.overflows ?? false;
  }

  /** Stops taking mail; resolves when all sessions have ended, at the latest after `deadlineMs`. */
  async stop(deadlineMs: number): Promise<void> {
    this.#stopping = true;
    this.giveBackAll();
    await this.#sessions.ended(deadlineMs);
    for (const lane of this.#lanes) lane.stop();
  }

  kill(): void {
    this.#sessions.kill();
  }

  /** Forgets what holds nothing, so memory does not grow with the domains seen. A lane with a limit keeps its count. */
  prune(): void {
    for (const [head, queue] of this.#queues) {
      if (queue.idle && head.wakeAt === Infinity) this.#forget(queue);
    }
    const used = new Set([...this.#places.values()].map(({ destination }) => destination));
    for (const [key, destination] of this.#destinations) {
      if (!used.has(destination) && destination.unused) this.#destinations.delete(key);
    }
    this.#lanes.prune(new Set([...this.#destinations.values()].map(({ lane }) => lane)));
  }

  status(): NodeStatus {
    const { name, address, hostname, maxSessions } = this.#config;
    const destinations = [...this.#destinations.values()];
    const lanes = [...this.#lanes].map((lane) => laneStatus(lane, destinations));
    const counts = { sessions: this.#sessionCount, maxSessions };
    return { name, address, hostname, state: this.#state, ...counts, ...this.#sessions.figures, lanes };
  }

  // What a destination asks of its node.

  mono(): number {
    return this.#options.context.clock.mono();
  }

  now(): number {
    return this.#options.context.clock.now();
  }

  hasRoom(): boolean {
    return this.#options.budget.hasRoom();
  }

  /** No time when another destination waits for a place. */
  idleMs(): number {
    if (this.#full.size > 0) return 0;
    return this.#options.context.settings.config.egress.timeouts.idleMs;
  }

  notDue(queue: FlowQueue): void {
    this.#options.sleep(queue);
  }

  reserveSession(destination: Destination): boolean {
    if (this.#sessionCount < this.#config.maxSessions) {
      this.#sessionCount++;
      return true;
    }
    // A session that waits for mail elsewhere makes room; its end pumps this destination.
    this.#full.add(destination);
    for (const other of this.#destinations.values()) if (other !== destination && other.evict(1) > 0) break;
    return false;
  }

  runSession(destination: Destination): Promise<void> {
    return this.#sessions.run(destination).finally(() => {
      this.#sessionCount--;
      destination.sessionEnded();
      // A copy: who finds no place again comes back to the end of the set.
      const waiting = [...this.#full];
      this.#full.clear();
      for (const other of waiting) other.pump();
      destination.pump();
    });
  }

  lease(queue: FlowQueue, limit: number): void {
    queue.leasing = true;
    void this.#lease(queue, placeOf(queue).destination!, limit);
  }

  // What sessions ask of their node.

  settled(lane: Lane, delivery: LeasedDelivery): void {
    lane.inFlight--;
    this.#options.budget.release(delivery.content.length);
    const { locks } = this.#options.context;
    if (locks.anySender) locks.release(delivery.id);
  }

  giveBack(lane: Lane, deliveries: readonly LeasedDelivery[]): void {
    for (const delivery of deliveries) {
      this.settled(lane, delivery);
      const { wakeAt } = delivery.record;
      void this.#options.context.recorder.record(delivery, { kind: 'released', wakeAt });
    }
  }

  /** To the store when the queue's mail goes elsewhere by now, or nowhere. */
  putBack(destination: Destination, delivery: LeasedDelivery): void {
    const queue = this.#queues.get(delivery.queue);
    const held = (queue?.head.held ?? true) || destination.lane.locked;
    const stays = queue && !held && this.active && placeOf(queue).destination === destination;
    if (stays) destination.putBack(queue, delivery);
    else this.giveBack(destination.lane, [delivery]);
  }

  /** What is in memory and not on its way goes back to the store. */
  giveBackAll(): void {
    for (const destination of this.#destinations.values())
      this.giveBack(destination.lane, destination.stop());
  }

  async #lease(queue: FlowQueue, destination: Destination, limit: number): Promise<void> {
    const { context, replan } = this.#options;
    const { lane } = destination;
    let taken: readonly LeasedDelivery[] = [];
    try {
      if (placeOf(queue).planExpiresAtMs > this.mono()) {
        // All that is handed out or may be: the mark of the last request is the one that is kept.
        taken = await context.queue.lease({ queue: queue.head, limit, ...this.#lanes.marks(lane) });
      } else replan(queue);
    } catch (error) {
      const details = { node: this.name, domain: queue.head.domain, error };
      context.report('error', 'mail that is due could not be leased, trying again', details);
      destination.leased(queue);
      setTimeout(() => this.#leaseAgain(queue), LEASE_AGAIN_MS);
      return;
    }
    queue.leasing = false;
    destination.leased(queue);
    this.#arrived(queue, destination, withoutLocked(context, lane.key, taken));
    if (!this.active) {
      this.giveBackAll();
      return;
    }
    if (lane.locked) this.giveBack(lane, destination.recall());
    const now = placeOf(queue).destination;
    if (now && this.isDue(queue)) this.#offer(now, [queue]);
    destination.pump();
  }

  /** Until now the queue counted as leasing, so that nobody asked a store that fails again and again. */
  #leaseAgain(queue: FlowQueue): void {
    queue.leasing = false;
    const { destination } = placeOf(queue);
    if (destination) this.#offer(destination, [queue]);
  }

  #arrived(queue: FlowQueue, destination: Destination, taken: readonly LeasedDelivery[]): void {
    const { budget, attempts } = this.#options;
    const { lane } = destination;
    if (lane.strategy.drop) {
      for (const delivery of taken) attempts.drop(delivery);
      return;
    }
    taken = withoutOverflow(this.#options, lane, taken);
    for (const delivery of taken) budget.take(delivery.content.length);
    if (placeOf(queue).destination === destination && !queue.head.held) {
      for (const delivery of taken) destination.arrived(queue, delivery, false);
      return;
    }
    // The queue's mail goes elsewhere by now, where other limits hold.
    lane.inFlight += taken.length;
    this.giveBack(lane, taken);
  }

  /** To where they go, unless a lock is in the way: then they may have to move. */
  #offer(destination: Destination, queues: readonly FlowQueue[]): void {
    const { lane } = destination;
    if (!lane.locked)
      destination.ready(...queues.filter((queue) => !senderLocked(this.#options.context, queue, lane)));
    else for (const queue of queues) this.#options.locked(queue, lane);
  }

  #forget(queue: FlowQueue): void {
    const place = placeOf(queue);
    this.#queues.delete(queue.head);
    if (place.without(queue)) this.#places.delete(place.domain);
  }

  #destination(plan: RoutePlan, isp: string | undefined): Destination {
    const laneKey = isp === undefined ? `mx:${plan.key}` : `isp:${isp}`;
    const lane = this.#lanes.get(laneKey, isp);
    const key = `${laneKey}\0${plan.key}`;
    const known = this.#destinations.get(key);
    if (known) {
      known.plan = plan;
      return known;
    }
    const destination = new Destination(lane, plan, this);
    this.#destinations.set(key, destination);
    return destination;
  }
}
