/**
 * What the queue promises, in the plainest form: a list of deliveries and what each operation does to it. Operations
 * that are submitted together share a commit: all of them see the deliveries as they were before it, the first of two
 * that want the same delivery gets it, and all or none of them are stored.
 */
import type { Band } from '../../../src/queue/queue-head.ts';
import { effect, fits, type ModelJob, type ModelSelector, stops } from './model-jobs.ts';
import { nameOf, rankOf } from '../../../src/queue/queue-key.ts';

export const NODES = ['n1', 'n2'] as const;
export const DOMAINS = ['one.test', 'two.test'] as const;
export const CAMPAIGNS = ['spring', 'summer'] as const;

export interface ModelDelivery {
  readonly number: number;
  readonly index: number;
  readonly domain: string;
  readonly recipient: string;
  readonly band: Band;
  readonly campaign: string;
  readonly expiresAt: number;
  node: string;
  wakeAt: number;
  attempts: number;
  /** When the last attempt was recorded; 0 before the first. */
  triedAt: number;
  /** Left in the hands of a worker by a crash. */
  duplicate: boolean;
  state: 'waiting' | 'leased' | 'delivered' | 'hard_bounce' | 'undelivered' | 'removed';
  endedAt: number;
}

export interface Places {
  /** Deliveries that the dispatcher takes at once, per `node domain`. */
  readonly [queue: string]: number;
}

export type End = 'delivered' | 'hard_bounce' | 'undelivered' | 'removed';
export type Ask =
  | { readonly kind: 'end'; readonly as: End; readonly attempted: boolean }
  | { readonly kind: 'deferred' | 'released'; readonly node: string; readonly wakeAt: number };

export const idOf = ({ number, index }: { readonly number: number; readonly index: number }): string =>
  `${number}.${index}`;

/** Name of the queue that a delivery waits in. */
export function queueOf({ node, domain, campaign, band, expiresAt }: ModelDelivery): string {
  const record = { recipient: '', sender: 'promo', node, expiresAt };
  const key = { node, domain, sender: 'promo', account: '', campaign, mark: 0 };
  return nameOf({ ...key, rank: rankOf({ record, message: { band } }) });
}

const isQueued = ({ state }: ModelDelivery): boolean => state === 'waiting' || state === 'leased';

export class Model {
  readonly deliveries = new Map<string, ModelDelivery>();
  readonly open = new Set<number>();
  /** In the order in which they were set. */
  readonly marks: { readonly hold: boolean; readonly selector: ModelSelector }[] = [];
  /** Those that are not done. */
  readonly jobs: ModelJob[] = [];
  /** Those of them that have begun their way anew and are not through. */
  stopping: readonly ModelJob[] = [];

  queued(): ModelDelivery[] {
    return [...this.deliveries.values()].filter(isQueued);
  }

  leased(): ModelDelivery[] {
    return this.queued().filter(({ state }) => state === 'leased');
  }

  /** What a job is about to take is not sent; what came after it is, as far as it wakes after it. */
  keptBack(delivery: ModelDelivery): boolean {
    const stop = this.stopping.findLast((job) => stops(job, delivery));
    const free = !stop || (delivery.number >= stop.watermark && delivery.wakeAt >= stop.at);
    return !free || this.held(delivery);
  }

  /** The last mark that fits decides. */
  held(delivery: ModelDelivery): boolean {
    return this.marks.findLast(({ selector }) => fits(selector, delivery))?.hold ?? false;
  }

  /** A job goes through what waits; gives its events. */
  work(job: ModelJob, now: number): string[] {
    const written: string[] = [];
    for (const delivery of this.queued()) {
      const change = delivery.state === 'waiting' ? effect(job, delivery) : undefined;
      if (!change) continue;
      job.done++;
      Object.assign(delivery, change, change.state ? { endedAt: now } : {});
      if (change.state) written.push(`undelivered ${idOf(delivery)}`);
      else if (change.node) written.push(`moved ${idOf(delivery)}`);
    }
    return written;
  }

  /** When each queue that has something to do wakes. */
  wakes(): Record<string, number> {
    const wakes: Record<string, number> = {};
    for (const one of this.queued()) {
      if (one.state !== 'waiting' || this.keptBack(one)) continue;
      const name = queueOf(one);
      wakes[name] = Math.min(wakes[name] ?? Infinity, one.wakeAt);
    }
    return wakes;
  }

  count(campaign: string, state: ModelDelivery['state'] | 'queued' | 'accepted'): number {
    const all = [...this.deliveries.values()].filter((one) => one.campaign === campaign);
    if (state === 'accepted') return all.length;
    return all.filter((one) => (state === 'queued' ? isQueued(one) : one.state === state)).length;
  }

  /** A restart: what was leased waits again, open batches take no more. */
  restart(): { returned: number; possibleDuplicates: number; closedBatches: number } {
    const leased = this.leased();
    for (const delivery of leased) Object.assign(delivery, { state: 'waiting', duplicate: true });
    const recovered = {
      returned: leased.length,
      possibleDuplicates: leased.length,
      closedBatches: this.open.size,
    };
    this.open.clear();
    return recovered;
  }
}

/** One commit under way: what each operation finds, and what all of them do once it is stored. */
export class ModelCommit {
  readonly #model: Model;
  readonly #now: number;
  readonly #places: Record<string, number>;
  /** Waiting deliveries as the commit finds them. */
  readonly #waiting: readonly ModelDelivery[];
  readonly #taken = new Set<ModelDelivery>();
  readonly #concluded = new Set<ModelDelivery>();
  readonly #changes: (() => void)[] = [];
  readonly #open: Set<number>;
  readonly #openedHere = new Set<number>();
  /** Events of the commit, in order: type and delivery. */
  readonly events: string[] = [];
  /** Deliveries that the dispatcher gets with the commit. */
  readonly claimed: string[] = [];

  constructor(model: Model, now: number, places: Places) {
    this.#model = model;
    this.#now = now;
    this.#places = { ...places };
    this.#waiting = model.queued().filter(({ state }) => state === 'waiting');
    this.#open = new Set(model.open);
  }

  /** Places that are left once the commit is stored. */
  get places(): Places {
    return this.#places;
  }

  stored(): void {
    for (const change of this.#changes) change();
  }

  accept(number: number, deliveries: readonly ModelDelivery[], open: boolean): void {
    if (open) this.#openedHere.add(number);
    if (open) this.#opens(number);
    for (const delivery of deliveries) this.#add(delivery, true);
  }

  /** Whether the batch takes the recipients. */
  append(number: number, deliveries: readonly ModelDelivery[], close: boolean): boolean {
    if (!this.#open.has(number)) return false;
    // The content of a batch that this commit opens cannot be handed out yet.
    for (const delivery of deliveries) this.#add(delivery, !this.#openedHere.has(number));
    if (close) {
      this.#open.delete(number);
      this.#changes.push(() => this.#model.open.delete(number));
    }
    return true;
  }

  /** The deliveries that a lease gives, in order. */
  lease(queue: string, limit: number): ModelDelivery[] {
    const due = this.#waiting
      .filter((one) => queueOf(one) === queue && one.wakeAt <= this.#now && !this.#model.held(one))
      .sort(byOrder)
      .slice(0, limit);
    return due.filter((delivery) => {
      if (this.#taken.has(delivery)) return false;
      this.#taken.add(delivery);
      if (delivery.expiresAt <= this.#now) this.#end(delivery, 'undelivered');
      else this.#changes.push(() => (delivery.state = 'leased'));
      return delivery.expiresAt > this.#now;
    });
  }

  /** Whether the outcome counts; false when the fence drops it. */
  outcome(delivery: ModelDelivery, ask: Ask): boolean {
    if (this.#concluded.has(delivery)) return false;
    this.#concluded.add(delivery);
    if (ask.kind === 'end') this.#end(delivery, ask.as, ask.attempted ? 1 : 0);
    else this.#returned(delivery, ask);
    return true;
  }

  /** It comes back from a worker: jobs that are not done change it. A retry does not, it was just tried. */
  #returned(delivery: ModelDelivery, ask: Ask & { kind: 'deferred' | 'released' }): void {
    let asked = delivery.node; // a move meets what the one before has made of it
    for (const job of this.#model.jobs) {
      const change = job.op === 'retry' ? undefined : effect(job, delivery, asked);
      if (!change) continue;
      this.#changes.push(() => job.done++);
      if (change.state) {
        this.#end(delivery, 'removed', ask.kind === 'deferred' ? 1 : 0);
        return;
      }
      asked = change.node!;
    }
    // Moved there and back it is as if not moved: the worker's choice stands.
    const node = asked === delivery.node ? ask.node : asked;
    this.#requeue(delivery, { ...ask, node });
  }

  sweep(): void {
    const expired = this.#waiting.filter((one) => one.expiresAt <= this.#now && !this.#taken.has(one));
    for (const delivery of expired.sort((a, b) => a.number - b.number || a.index - b.index)) {
      this.#taken.add(delivery);
      this.#end(delivery, 'undelivered');
    }
  }

  #opens(number: number): void {
    this.#open.add(number);
    this.#changes.push(() => this.#model.open.add(number));
  }

  #add(delivery: ModelDelivery, claimable: boolean): void {
    const queue = `${delivery.node} ${delivery.domain}`;
    const free = this.#places[queue] ?? 0;
    this.events.push(`accepted ${idOf(delivery)}`);
    this.#changes.push(() => this.#model.deliveries.set(idOf(delivery), delivery));
    if (!claimable || delivery.wakeAt > this.#now || free === 0 || this.#model.held(delivery)) return;
    this.#places[queue] = free - 1;
    this.claimed.push(idOf(delivery));
    this.#changes.push(() => (delivery.state = 'leased'));
  }

  #requeue(delivery: ModelDelivery, { kind, node, wakeAt }: Ask & { kind: 'deferred' | 'released' }): void {
    const attempts = delivery.attempts + (kind === 'deferred' ? 1 : 0);
    if (kind === 'deferred') this.events.push(`soft_bounce ${idOf(delivery)}`);
    else if (node !== delivery.node) this.events.push(`moved ${idOf(delivery)}`);
    const triedAt = kind === 'deferred' ? this.#now : delivery.triedAt;
    this.#changes.push(() => Object.assign(delivery, { state: 'waiting', node, wakeAt, attempts, triedAt }));
  }

  #end(delivery: ModelDelivery, as: End, attempts = 0): void {
    this.events.push(`${as === 'removed' ? 'undelivered' : as} ${idOf(delivery)}`);
    const endedAt = this.#now;
    this.#changes.push(() =>
      Object.assign(delivery, { state: as, endedAt, attempts: delivery.attempts + attempts }),
    );
  }
}

function byOrder(a: ModelDelivery, b: ModelDelivery): number {
  return a.wakeAt - b.wakeAt || a.number - b.number || a.index - b.index;
}
