/**
 * The sending side: wakes queues when they are due, finds where their mail goes, and lets nodes send it. It answers
 * the queue's questions at acceptance (`claim`) and takes what was leased there (`granted`).
 *
 * The way of a delivery: wake -> plan (route or MX) -> lane and destination -> lease -> session -> attempt -> outcome.
 */
import type { Clock } from '../../core/index.ts';
import type { Tokens } from '../../fbl/index.ts';
import type { Dispatcher, LeasedDelivery, LimitMark, Queue, QueueHead } from '../../queue/index.ts';
import { Attempts } from './attempt.ts';
import { Budget } from './budget.ts';
import { Caps } from './caps.ts';
import { CampaignLimits } from './campaign-limits.ts';
import { Campaigns } from './content.ts';
import { type CellSettings, cellSettings } from './cell-settings.ts';
import type { EgressContext, EgressSettings } from './context.ts';
import type { Destination } from './destination.ts';
import { IspIndex } from './isp.ts';
import { Locks } from './locks.ts';
import { Mover } from './mover.ts';
import { Node } from './node.ts';
import { NodeChoice } from './node-choice.ts';
import { NodeControl } from './node-control.ts';
import { NodeStates } from './node-states.ts';
import { type PathView, pathView } from './path-view.ts';
import { fitSessions } from './session-fit.ts';
import { SessionPlaces } from './session-places.ts';
import type { RoutePlanner } from './plan.ts';
import { Reactions } from './reactions.ts';
import { Recorder } from './recorder.ts';
import type { Report } from './report.ts';
import type { EgressView, LanesOf, MailOf } from './egress-view.ts';
import { spentLimits } from './spent-limits.ts';
import { type SpeedFilter, type SpeedRow, speedTable } from './speed-table.ts';
import type { LaneStatus, NodeFigures, NodeStatus } from './status.ts';
import { Waking } from './waking.ts';

const ADDRESS_CHECK_MS = 5_000;
/** What holds nothing is forgotten so often, or as soon as so many queues have come that they would fill memory. */
const PRUNE_MS = 60_000;
const PRUNE_QUEUES = 5_000;
const PRUNE_LOOK_MS = 5_000;
const CONTENT_BYTES = 128 * 1024 * 1024;

export interface EgressOptions {
  readonly queue: Queue;
  readonly settings: EgressSettings;
  readonly planner: RoutePlanner;
  readonly tokens: Tokens;
  readonly clock: Clock;
  readonly random: () => number;
  readonly report: Report;
}

export class Egress implements Dispatcher, EgressView {
  readonly campaigns: CampaignLimits;
  readonly #context: EgressContext;
  readonly #attempts: Attempts;
  readonly #reactions: Reactions;
  readonly #choice: NodeChoice;
  readonly #mover: Mover;
  readonly #states: NodeStates;
  readonly #budget: Budget;
  readonly #sessions = new SessionPlaces(() => this.#context.settings.config.egress.maxSessions);
  readonly #nodes = new Map<string, Node>();
  /** Not configured any more; they end what they have begun. */
  readonly #leaving = new Set<Node>();
  readonly #waking: Waking;
  readonly #timers: NodeJS.Timeout[] = [];
  #stopping = false;
  /** Queues that were left when some were forgotten last. */
  #left = 0;
  readonly #since: number;

  constructor(options: EgressOptions) {
    const { planner, ...rest } = options;
    const recorder = new Recorder(options.queue, options.report);
    const { queue, settings, clock, report } = options;
    this.#since = clock.mono();
    const caps = new Caps(clock, settings.config, (key) => queue.limitMark(key));
    const locks = new Locks({ queue, clock, report, onChange: () => this.#relock() });
    this.campaigns = new CampaignLimits({ queue, clock });
    const { campaigns } = this;
    this.#context = { ...rest, recorder, caps, campaigns, locks, isps: new IspIndex(settings.config.isps) };
    this.#states = new NodeStates({
      context: this.#context,
      queue,
      node: (name) => this.#nodes.get(name),
      onChange: (node) => this.#stateChanged(node),
    });
    this.#choice = new NodeChoice(this.#context, (node) => this.isUp(node));
    this.#mover = new Mover(this.#context, this.#choice);
    this.#reactions = new Reactions(this.#context, this.#choice);
    this.#attempts = new Attempts(this.#context, new Campaigns(), this.#reactions);
    this.#waking = new Waking({
      context: this.#context,
      planner,
      node: (name) => this.#nodes.get(name),
      isUp: (name) => this.isUp(name),
      mover: this.#mover,
      choice: this.#choice,
      attempts: this.#attempts,
    });
    this.#budget = new Budget(CONTENT_BYTES, () => {
      for (const node of this.#nodes.values()) node.pump();
    });
  }

  /** Brings the nodes up and starts with what is queued. */
  async start(): Promise<void> {
    this.#syncNodes();
    await this.#checkAddresses();
    this.#context.queue.attach(this);
    this.#waking.wakeAll();
    this.#timers.push(setInterval(() => void this.#checkAddresses(), ADDRESS_CHECK_MS));
    this.#timers.push(setInterval(() => void this.#prune(), PRUNE_MS));
    this.#timers.push(setInterval(() => void this.#pruneMany(), PRUNE_LOOK_MS));
  }

  /** New settings: speeds and senders at once, new nodes up, removed ones give their mail to others. */
  async configure(settings: EgressSettings, planner: RoutePlanner): Promise<void> {
    const sessionsFit = fitSessions(this.#context.settings, settings);
    this.#context.settings = settings;
    this.#reactions.configure();
    this.#context.caps.configure(settings.config);
    this.#waking.planner = planner;
    this.#context.isps = new IspIndex(settings.config.isps);
    this.#syncNodes(sessionsFit);
    try {
      await Promise.all([this.#checkAddresses(), this.#storeLimits(false)]);
    } finally {
      // There may be more sessions now, and what waited for limits was told to forget them.
      this.#sessions.wake();
      this.#waking.wakeAll();
    }
  }

  /** Ends transactions under way within `deadlineMs`, gives back what was not sent, records all outcomes. */
  async stop(deadlineMs: number): Promise<void> {
    this.#stopping = true;
    this.#waking.stop();
    this.#states.stop();
    for (const timer of this.#timers) clearInterval(timer);
    for (const each of [this.#context.locks, this.#context.caps, this.campaigns]) each.stop();
    this.#context.recorder.hurryIn(deadlineMs);
    await Promise.all([...this.#nodes.values(), ...this.#leaving].map((node) => node.stop(deadlineMs)));
    await Promise.all([this.#context.recorder.drained(), this.#storeLimits(true)]);
  }

  /** Cuts all sessions, and does not wait for a store that refuses outcomes; `stop` then ends at once. */
  kill(): void {
    this.#context.recorder.hurry();
    for (const node of [...this.#nodes.values(), ...this.#leaving]) node.kill();
  }

  /** Whether a node takes new mail. */
  isUp(name: string): boolean {
    const node = this.#nodes.get(name);
    return (
      node !== undefined && node.active && node.state === 'running' && !this.#context.locks.holding(name)
    );
  }

  /** What operators do with nodes. */
  get control(): NodeControl {
    const { locks } = this.#context;
    return new NodeControl({
      locks,
      modes: this.#states.modes,
      changed: () => this.#checkAddresses(),
      resumeWarmups: (node) => this.#nodes.get(node)?.resumeWarmups(),
    });
  }

  // Dispatcher: what the queue asks and tells.

  claim(queue: QueueHead): boolean {
    return !this.#stopping && (this.#nodes.get(queue.node)?.claim(queue) ?? false);
  }

  unclaim(queue: QueueHead): void {
    this.#nodes.get(queue.node)?.unclaim(queue);
  }

  granted(deliveries: readonly LeasedDelivery[]): void {
    const here = new Set<Destination>();
    for (const delivery of deliveries) {
      const destination = this.#nodes.get(delivery.record.node)?.granted(delivery);
      if (destination) {
        here.add(destination);
        continue;
      }
      // A reload took the node away between claim and commit: the delivery finds another way.
      const { wakeAt } = delivery.record;
      void this.#context.recorder.record(delivery, { kind: 'released', wakeAt });
    }
    // All recipients of a message have come by now, so they may go together.
    for (const destination of here) destination.pump();
  }

  wake(head: QueueHead, wakeAt: number): void {
    this.#waking.wake(head, wakeAt);
  }

  held(queues: readonly QueueHead[]): void {
    for (const queue of queues) this.#nodes.get(queue.node)?.held(queue);
  }

  /** Says of limits in the store which can be forgotten; for one walk. */
  spentLimits(): (mark: LimitMark) => boolean {
    const { clock, settings, caps } = this.#context;
    return spentLimits({
      clock,
      config: settings.config,
      since: this.#since,
      hasLane: (name, lane) =>
        [this.#nodes.get(name), ...this.#leaving].some((node) => node?.name === name && node.hasLane(lane)),
      hasCap: (name) => caps.has(name),
      hasCampaign: (account, campaign) => this.campaigns.of({ account, campaign }) !== undefined,
    });
  }

  // EgressView
  get classifier(): EgressView['classifier'] {
    return this.#context.settings.classifier;
  }

  nodes(): readonly NodeStatus[] {
    return [...this.#nodes.values()].map((node) => ({ ...node.figures(), lanes: [...node.lanes()] }));
  }

  nodeFigures(): readonly NodeFigures[] {
    return [...this.#nodes.values()].map((node) => node.figures());
  }

  *lanes(of: LanesOf): Generator<LaneStatus> {
    if ('node' in of) yield* this.#nodes.get(of.node)?.lanes() ?? [];
    else for (const node of this.#nodes.values()) yield* node.lanes(of.isp);
  }

  speeds(filter: SpeedFilter): SpeedRow[] {
    return speedTable(this.#context, this.nodes(), filter);
  }

  async path(domain: string, nodes: readonly string[]): Promise<PathView> {
    const plan = await this.#waking.planner.resolve(domain);
    return pathView({ domain, nodes, plan, statuses: this.nodes(), context: this.#context });
  }

  settingsOf(node: string, isp: string): readonly CellSettings[] {
    return cellSettings(this.#context.settings.config, node, isp);
  }

  ispOf(domain: string): string | undefined {
    return this.#waking.ispOf(domain);
  }

  whyWaiting(nodeName: string, domain: string, of?: MailOf): string | undefined {
    const node = this.#nodes.get(nodeName);
    if (!node) return `node ${nodeName} is not configured; the mail moves to another node of its sender`;
    if (!node.active) return `node ${nodeName} is ${node.state}`;
    const lock = this.#context.locks.ofNode(nodeName);
    if (lock) return lock.text(this.#context.clock.now());
    const { resolving, destination } = node.placeOf(domain) ?? {};
    if (resolving) return `looking up where mail for ${domain} goes`;
    const ofCampaign = of && this.campaigns.of(of)?.waiting();
    return ofCampaign ?? destination?.resting() ?? destination?.lane.waiting(of?.sender);
  }

  #syncNodes(sessionsFit = true): void {
    const { config } = this.#context.settings;
    const wanted = new Map(config.nodes.map((node) => [node.name, node]));
    for (const [name, node] of this.#nodes) {
      if (wanted.has(name)) continue;
      this.#nodes.delete(name);
      this.#leaving.add(node);
      const stopped = node.stop(config.egress.timeouts.dataDoneMs);
      void stopped.then(() => this.#leaving.delete(node) && this.#waking.wakeAll(name));
    }
    for (const node of config.nodes) {
      const known = this.#nodes.get(node.name);
      if (known) known.configure(node, { sessionsFit });
      else this.#nodes.set(node.name, this.#newNode(node));
    }
  }

  #relock(): void {
    for (const node of this.#nodes.values()) node.relock();
    // Mail that waited behind another lock may move to what is open now.
    this.#waking.wakeAll();
  }

  #newNode(config: EgressSettings['config']['nodes'][number]): Node {
    return new Node({
      config,
      context: this.#context,
      attempts: this.#attempts,
      budget: this.#budget,
      allSessions: this.#sessions,
      replan: ({ head }) => this.#waking.activate(head),
      sleep: (queue) => this.#waking.sleep(queue),
      addressGone: () => void this.#checkAddresses(),
      otherNode: (delivery, laneKey) => this.#otherNode(delivery, laneKey),
      // What came meanwhile, or was unlocked, is looked at again: nobody offered it while it was being moved.
      locked: (queue, lane) =>
        void this.#mover.move(queue, lane).then((moved) => {
          if (moved || !lane.locked) this.#waking.sleep(queue);
        }),
    });
  }

  /** Another node of the delivery's sender that can send now and has room for this ISP. */
  #otherNode({ record }: LeasedDelivery, laneKey: string): string | undefined {
    const nodes = this.#context.settings.senders.get(record.sender)?.config.nodes ?? [];
    return nodes.find(({ node: name }) => {
      if (name === record.node || !this.isUp(name) || this.#context.locks.of(name, laneKey).length > 0)
        return false;
      return !this.#nodes.get(name)!.isFull(laneKey);
    })?.node;
  }

  async #checkAddresses(): Promise<void> {
    // The wall clock may have stepped.
    this.#context.locks.look();
    await this.#states.look();
  }

  #stateChanged(node: Node): void {
    const running = node.state === 'running';
    for (const one of this.#nodes.values())
      if (one === node ? node.active || node.leaves : running && one.leaves) this.#waking.wakeAll(one.name);
    // Mail that waits behind a lock elsewhere may move here now.
    if (running && this.#context.locks.list().length > 0) this.#relock();
  }

  /**
   * The state of all limits: after a reload what is in memory may spend by other ones, and at the end nothing of what
   * was reserved will be spent. A store that refuses it has what came with the last leases, which is never too little.
   */
  async #storeLimits(ended: boolean): Promise<void> {
    const { queue, caps } = this.#context;
    const shared = [...caps, ...this.campaigns].map((limit) => limit.stored(ended ? 0 : undefined));
    const ofNodes = [...this.#nodes.values()].map((node) => node.marks(ended));
    // Each by itself, in one turn: they share a commit, which a lease of later goes behind.
    await Promise.all([shared, ...ofNodes].map((marks) => queue.store(marks).catch(() => undefined)));
  }

  /** Where most of what is there has mail, looking through all of it is not worth it for a few. */
  async #pruneMany(): Promise<void> {
    const come = this.#context.queue.state.schedule.size - this.#left;
    if (come >= Math.max(PRUNE_QUEUES, this.#left)) await this.#prune();
  }

  async #prune(): Promise<void> {
    const { queue } = this.#context;
    for (const node of this.#nodes.values()) node.prune();
    await queue.prune().catch(() => undefined);
    this.#left = queue.state.schedule.size;
  }
}
