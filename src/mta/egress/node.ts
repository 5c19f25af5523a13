/**
 * A node: one source address, its queues, lanes, destinations and sessions. It shares nothing with other nodes, so it
 * could live in a thread of its own. It sends only from its address: when that is not on the machine the node is
 * down, and its mail waits.
 */
import type { NodeConfig } from '../../config/index.ts';
import type { LeasedDelivery, LimitMark, QueueHead } from '../../queue/index.ts';
import { Destination, type DestinationOwner } from './destination.ts';
import { DomainPlace, placeOf } from './domain-place.ts';
import { FlowQueue } from './flow-queue.ts';
import { gather, type Together } from './gather.ts';
import type { Lane } from './lane.ts';
import { laneStatus } from './lane-status.ts';
import { Lanes } from './lanes.ts';
import { Leases, type LeasesOptions, type LeasesOwner } from './leases.ts';
import { roomIn } from './parking.ts';
import { NodeStanding } from './node-standing.ts';
import type { RoutePlan } from './plan.ts';
import { senderLocked } from './sender-locks.ts';
import { limitsOf } from './limits-of.ts';
import type { SharedLimit } from './shared-limit.ts';
import { SessionLevels } from './session-levels.ts';
import { SessionPlaces } from './session-places.ts';
import { type SessionOwner, Sessions } from './sessions.ts';
import type { LaneStatus, NodeFigures, NodeState } from './status.ts';

export interface NodeOptions extends Omit<LeasesOptions, 'node'> {
  readonly config: NodeConfig;
  /** The sessions of all nodes. */
  readonly allSessions: SessionPlaces;
  /** Mail waits behind a lock: it may have to move. */
  readonly locked: (queue: FlowQueue, lane: Lane) => void;
  /** The queue's next slot wakes later. */
  readonly sleep: (queue: FlowQueue) => void;
  /** A session could not be bound to the address. */
  readonly addressGone: () => void;
}

export class Node implements DestinationOwner, LeasesOwner, SessionOwner {
  readonly name: string;
  /** Of its sessions. */
  readonly places: SessionLevels;
  generation = 0;
  readonly #options: NodeOptions;
  readonly #lanes: Lanes;
  readonly #destinations = new Map<string, Destination>();
  readonly #queues = new Map<QueueHead, FlowQueue>();
  readonly #places = new Map<string, DomainPlace>();
  readonly #leases: Leases;
  readonly #sessions: Sessions;
  readonly #standing: NodeStanding;
  #config: NodeConfig;
  #stopping = false;

  constructor(options: NodeOptions) {
    this.#options = options;
    this.#config = options.config;
    this.name = options.config.name;
    this.#standing = new NodeStanding(this.now());
    this.places = new SessionLevels(new SessionPlaces(() => this.#config.maxSessions), options.allSessions);
    this.#lanes = new Lanes(options.config, options.context, (lane) => this.pump(lane));
    this.#leases = new Leases({ ...options, node: this.name }, this, this.#lanes);
    this.#sessions = new Sessions(this, options.context, options.attempts);
  }

  get config(): NodeConfig {
    return this.#config;
  }

  get state(): NodeState {
    return this.#standing.state;
  }

  get active(): boolean {
    return this.#standing.sends && !this.#stopping;
  }

  /** It is down, and its mail goes to other nodes meanwhile. */
  get leaves(): boolean {
    return this.state === 'down' && this.#config.whenDown === 'move' && !this.#stopping;
  }

  setState(state: NodeState, since: number): void {
    this.#standing.set(state, since);
    if (this.active) this.pump();
    else this.giveBackAll();
  }

  /** The caller wakes the queues afterwards. Sessions stay when what they were opened for still holds. */
  configure(config: NodeConfig, { sessionsFit }: { readonly sessionsFit: boolean }): void {
    const fit =
      sessionsFit && config.address === this.#config.address && config.hostname === this.#config.hostname;
    this.#config = config;
    this.#lanes.configure(config);
    for (const place of this.#places.values()) place.outdate();
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
      this.offer(destination, waiting);
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

  /** Where mail for the domain goes, as far as that is known. */
  placeOf(domain: string): DomainPlace | undefined {
    return this.#places.get(domain);
  }

  /** The queue has something due. False when it is not known (any more) where it goes. */
  ready(queue: FlowQueue): boolean {
    const place = placeOf(queue);
    if (!place.destination || place.planExpiresAtMs <= this.mono()) return false;
    this.offer(place.destination, [queue]);
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
    const due = [...place.queues].filter((queue) => this.isDue(queue));
    // Was due when the look-up began, and the wall clock was set back since.
    for (const queue of place.queues) if (!this.isDue(queue)) this.notDue(queue);
    this.offer(destination, due);
  }

  isDue({ head }: FlowQueue): boolean {
    return head.wakeAt <= this.now();
  }

  /** May a new delivery be leased at its acceptance? True reserves a place for it. */
  claim(head: QueueHead): boolean {
    const place = this.#places.get(head.domain);
    if (!place?.destination || place.planExpiresAtMs <= this.mono()) return false;
    // What a limit beside that of the lane is about is asked for before it is leased.
    if (this.#limitsOf(head, place.destination).length > 0) return false;
    const queue = this.queue(head);
    return (
      !senderLocked(this.#options.context, queue, place.destination.lane) && place.destination.claim(queue)
    );
  }

  unclaim(head: QueueHead): void {
    const queue = this.#queues.get(head);
    if (queue) placeOf(queue).destination?.unclaim(queue);
  }

  /**
   * A delivery that was leased at its acceptance has come; undefined when this node cannot send it (any more). The
   * destination is to be pumped when all have come.
   */
  granted(delivery: LeasedDelivery): Destination | undefined {
    const queue = this.#queues.get(delivery.queue);
    const destination = queue && placeOf(queue).destination;
    if (!queue || !destination || queue.claimed === 0) return undefined;
    const locked = destination.lane.locked || senderLocked(this.#options.context, queue, destination.lane);
    const kept = queue.head.keepsBack(delivery.number);
    if (locked || !this.active || kept || placeOf(queue).planExpiresAtMs <= this.mono()) {
      destination.unclaim(queue);
      return undefined;
    }
    this.#leases.granted(queue, destination, delivery);
    return destination;
  }

  /** An operator holds the queue, or a job takes mail out of it: what of it waits in memory goes back. */
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
    // The places of all nodes stay, and with them what they know would.
    for (const destination of this.#destinations.values()) this.places.leave(destination);
  }

  /** The state of its limits, to be stored: when all has ended, or while some is in memory. */
  marks(ended: boolean): readonly LimitMark[] {
    const lanes = [...this.#lanes];
    if (ended) return lanes.flatMap((lane) => this.#lanes.marks(lane, 0));
    return lanes
      .filter(({ inFlight, leasing }) => inFlight + leasing > 0)
      .flatMap((lane) => this.#lanes.marks(lane));
  }

  /** Whether what is counted towards an ISP is in memory. */
  hasLane(key: string): boolean {
    return this.#lanes.known(key) !== undefined;
  }

  /** Paused warm-ups go on. */
  resumeWarmups(): void {
    this.#lanes.resumeWarmups();
  }

  kill(): void {
    this.#sessions.kill();
  }

  /** Forgets what holds nothing, so memory does not grow with the domains seen. A lane with a limit keeps its count. */
  prune(): void {
    for (const destination of this.#destinations.values()) this.#endExpired(destination);
    for (const [head, queue] of this.#queues) {
      if (queue.idle && head.wakeAt === Infinity) this.#forget(queue);
    }
    const used = new Set([...this.#places.values()].map(({ destination }) => destination));
    for (const [key, destination] of this.#destinations) {
      if (used.has(destination) || !destination.unused) continue;
      for (const places of [destination.lane.places, this.places]) places.leave(destination);
      this.#destinations.delete(key);
    }
    this.#lanes.prune(new Set([...this.#destinations.values()].map(({ lane }) => lane)));
  }

  figures(): NodeFigures {
    const { name, address, hostname, maxSessions } = this.#config;
    const counts = { sessions: this.places.open, maxSessions };
    const state = this.#standing.shown(this.#options.context.locks.holding(name));
    return { name, address, hostname, ...state, ...counts, ...this.#sessions.figures };
  }

  /** What it has towards each ISP, or towards one (`other`: domains of none). */
  *lanes(isp?: string): Generator<LaneStatus> {
    let destinations: ReadonlyMap<Lane, readonly Destination[]> | undefined;
    for (const lane of this.#lanes) {
      if (isp !== undefined && lane.isp !== isp) continue;
      destinations ??= Map.groupBy(this.#destinations.values(), ({ lane: of }) => of);
      yield laneStatus(lane, destinations.get(lane) ?? [], this.places);
    }
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
  keepIdleMs(destination: Destination): number {
    if (!this.places.keepsIdle(destination)) return 0;
    return this.#options.context.settings.config.egress.timeouts.idleMs;
  }

  notDue(queue: FlowQueue): void {
    this.#options.sleep(queue);
  }

  runSession(destination: Destination): Promise<void> {
    return this.#sessions.run(destination).finally(() => {
      destination.sessionEnded();
      this.places.ended(destination);
      destination.pump();
    });
  }

  allowed(queue: FlowQueue, most: number): number {
    const destination = placeOf(queue).destination!;
    // What is not to be sent from here needs no token.
    if (destination.lane.overflows || destination.lane.strategy.drop) return most;
    const limits = this.#limitsOf(queue.head, destination);
    return roomIn(limits, queue.head, { most, wake: () => this.#options.replan(queue) });
  }

  lease(queue: FlowQueue, limit: number, message?: number): void {
    this.#leases.take(queue, limit, message);
  }

  // What sessions ask of their node.

  settled(lane: Lane, delivery: LeasedDelivery): void {
    this.#leases.settled(lane, delivery);
  }

  giveBack(lane: Lane, deliveries: readonly LeasedDelivery[]): void {
    this.#leases.giveBack(lane, deliveries);
  }

  addressGone(): void {
    this.#options.addressGone();
  }

  /** The delivery, with others of its message that may go in the same transaction. */
  together(destination: Destination, delivery: LeasedDelivery): Promise<Together> | Together {
    const queue = this.#queues.get(delivery.queue);
    if (!queue || placeOf(queue).destination !== destination) return [delivery];
    const limits = this.#limitsOf(queue.head, destination);
    return gather(this.#options.context.settings, { destination, queue, first: delivery, limits });
  }

  /** To the store when the queue's mail goes elsewhere by now, or nowhere. */
  putBack(destination: Destination, delivery: LeasedDelivery): void {
    const queue = this.#queues.get(delivery.queue);
    const kept = (queue?.head.keepsBack(delivery.number) ?? true) || destination.lane.locked;
    const stays = queue && !kept && this.active && placeOf(queue).destination === destination;
    if (stays) destination.putBack(queue, delivery);
    else this.giveBack(destination.lane, [delivery]);
  }

  /** What is in memory and not on its way goes back to the store. */
  giveBackAll(): void {
    for (const destination of this.#destinations.values())
      this.giveBack(destination.lane, destination.stop());
  }

  /** To where they go, unless a lock is in the way: then they may have to move. */
  offer(destination: Destination, queues: readonly FlowQueue[]): void {
    const { lane } = destination;
    if (!lane.locked)
      destination.ready(...queues.filter((queue) => !senderLocked(this.#options.context, queue, lane)));
    else for (const queue of queues) this.#options.locked(queue, lane);
  }

  #limitsOf(head: QueueHead, { lane }: Destination): readonly SharedLimit[] {
    return limitsOf(this.#options.context, lane, head);
  }

  /** A token may be hours away, and the sweep of the queue leaves out what is leased. */
  #endExpired(destination: Destination): void {
    const { context, attempts } = this.#options;
    const over = destination.takeExpired(context.queue.lifetimeNow());
    for (const delivery of over) {
      this.settled(destination.lane, delivery);
      attempts.expire(delivery);
    }
    if (over.length > 0) destination.pump();
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
