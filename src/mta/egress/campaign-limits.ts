/**
 * Limits of campaigns: set and started by the platform or an operator while the campaign runs, stored with an event,
 * asked by the destinations before they lease mail of the campaign. Campaigns without a limit cost a look at an empty
 * map.
 */
import type { Clock } from '../../core/index.ts';
import type { LeasedDelivery, LimitMark, Queue, QueueHead } from '../../queue/index.ts';
import { CampaignCap, type CampaignLimit, type CapMark } from './campaign-cap.ts';

/** How long an idle look at what is parked takes to come again, at least and at most. */
const LEAST_WAIT_MS = 5;
const LONGEST_WAIT_MS = 60_000;
/** Campaigns that may have limits at a time. */
const MOST_LIMITED = 10_000;
const KIND = 'campaign_limit';

/** More campaigns have limits than may. */
export class TooManyLimits extends Error {}

interface Stored {
  readonly limit: CampaignLimit;
  readonly start: number;
}

export interface CampaignName {
  readonly account: string;
  readonly campaign: string;
}

export interface CampaignLimitsOptions {
  readonly queue: Queue;
  readonly clock: Clock;
  /** The queue has something due that may go now. */
  readonly wake: (queue: QueueHead) => void;
}

export class CampaignLimits {
  readonly #options: CampaignLimitsOptions;
  readonly #caps = new Map<string, CampaignCap>();
  readonly #timers = new Map<string, NodeJS.Timeout>();
  #stopped = false;

  constructor(options: CampaignLimitsOptions) {
    this.#options = options;
    const { queue, clock } = options;
    for (const { key, value } of queue.controls()) {
      const [kind, account = '', campaign = ''] = key;
      if (kind !== KIND) continue;
      const name = nameOf({ account, campaign });
      const { limit, start } = value as Stored;
      const mark = queue.limitMark(markKey(name)) as CapMark | undefined;
      this.#caps.set(name, new CampaignCap(clock, limit, start, mark));
    }
  }

  /** The limits of a campaign; undefined when it has none. */
  of(name: CampaignName): CampaignCap | undefined {
    return this.#caps.size === 0 ? undefined : this.#caps.get(nameOf(name));
  }

  /** Those that a delivery must pass beside the gates of its lane. */
  capsOf({ queue }: LeasedDelivery): readonly CampaignCap[] {
    const cap = this.of(queue);
    return cap ? [cap] : NONE;
  }

  /** Replaces all limits of the campaign, or takes them away. What was sent under them stays counted. Throws TooManyLimits. */
  async set(name: CampaignName, limit: CampaignLimit | undefined, reason: string): Promise<void> {
    const before = this.of(name);
    if (limit && !before && this.#caps.size >= MOST_LIMITED)
      throw new TooManyLimits(`${MOST_LIMITED} campaigns have limits already; take those of ended ones away`);
    const start = before?.start ?? this.#options.clock.now();
    await this.#store(name, limit && { limit, start }, reason);
    this.#apply(name, limit && { limit, start });
  }

  /** The cap per start counts anew. False when the campaign has no limits. */
  async start(name: CampaignName, reason: string): Promise<boolean> {
    const before = this.of(name);
    if (!before) return false;
    // Two starts within a millisecond are two.
    const stored = { limit: before.limit, start: Math.max(before.start + 1, this.#options.clock.now()) };
    await this.#store(name, stored, reason);
    this.#apply(name, stored);
    return true;
  }

  /** How many of `most` deliveries of the queue may be leased now; when none, it is woken as soon as some may. */
  room(queue: QueueHead, most: number): number {
    const cap = this.of(queue);
    if (!cap) return most;
    const room = cap.room(most);
    if (room > 0) return room;
    cap.parked.add(queue);
    this.#arm(nameOf(queue), cap);
    return 0;
  }

  /** A lease request of the queue is under way for so many deliveries (or is not any more, below 0). */
  leasing(queue: QueueHead, count: number): void {
    const cap = this.of(queue);
    if (cap) cap.leasing = Math.max(0, cap.leasing + count);
  }

  arrived(delivery: LeasedDelivery): void {
    for (const cap of this.capsOf(delivery)) cap.arrived(delivery.id);
  }

  settled(delivery: LeasedDelivery): void {
    for (const cap of this.capsOf(delivery)) cap.settled(delivery.id);
  }

  /** What must be stored with a lease before its deliveries are sent. */
  marks(queue: QueueHead): readonly LimitMark[] {
    const cap = this.of(queue);
    return cap ? [{ key: markKey(nameOf(queue)), value: cap.mark() }] : [];
  }

  stop(): void {
    this.#stopped = true;
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }

  #store({ account, campaign }: CampaignName, value: Stored | undefined, reason: string): Promise<void> {
    const { queue, clock } = this.#options;
    const labels = { account_id: account === '' ? undefined : account, campaign_id: campaign };
    const event = { type: 'operation', time: clock.now(), reason, ...labels } as const;
    return queue.control({ key: [KIND, account, campaign], value, event });
  }

  #apply(name: CampaignName, stored: Stored | undefined): void {
    const key = nameOf(name);
    const cap = this.#caps.get(key);
    if (!stored) this.#caps.delete(key);
    else if (cap) cap.configure(stored.limit, stored.start);
    else this.#caps.set(key, new CampaignCap(this.#options.clock, stored.limit, stored.start, undefined));
    clearTimeout(this.#timers.get(key));
    this.#timers.delete(key);
    const parked = [...(cap?.parked ?? [])];
    cap?.parked.clear();
    for (const queue of parked) this.#options.wake(queue);
  }

  #arm(name: string, cap: CampaignCap): void {
    if (this.#stopped || this.#timers.has(name)) return;
    const wait = cap.nextRoomMs();
    if (wait === Infinity) return;
    const ms = Math.min(LONGEST_WAIT_MS, Math.max(LEAST_WAIT_MS, wait));
    this.#timers.set(
      name,
      setTimeout(() => this.#unpark(name, cap), ms),
    );
  }

  /** As many queues as deliveries may go, so that thousands are not asked for one token. */
  #unpark(name: string, cap: CampaignCap): void {
    this.#timers.delete(name);
    if (this.#caps.get(name) !== cap) return;
    const many = cap.room(cap.parked.size);
    const queues = [...cap.parked].slice(0, many);
    for (const queue of queues) cap.parked.delete(queue);
    for (const queue of queues) this.#options.wake(queue);
    if (cap.parked.size > 0) this.#arm(name, cap);
  }
}

const NONE: readonly CampaignCap[] = [];
const nameOf = ({ account, campaign }: CampaignName): string => `${account}\0${campaign}`;
const markKey = (name: string): string => `campaign\0${name}`;
