/**
 * Whose turn it is, among the queues of one destination, or among those that wait for a limit.
 *
 * The bands come first: priority before geo (the earliest deadline first) before standard. But a band that waits is
 * passed over PATIENCE times at most, then it has a turn, so none starves. Inside a band flows (sender, account,
 * campaign) take turns, and inside a flow its queues: a campaign with a thousand domains weighs as much as one with
 * one, and a million messages delay ten by no more than ten turns of theirs.
 */
import { bandOfRank, BANDS, type QueueHead } from '../../queue/index.ts';
import type { FlowQueue } from './flow-queue.ts';

/** Turns that other bands may have while a band waits. */
export const PATIENCE = 9;

/** As much of a queue as its turn is about. */
interface Waiting {
  readonly head: Pick<QueueHead, 'rank' | 'flow'>;
}

/** The queues of one rank; the flow, and the queue in it, that had no turn for the longest time come first. */
interface Tier<Q> {
  readonly rank: number;
  readonly band: number;
  readonly flows: Map<string, Set<Q>>;
}

export class Turns<Q extends Waiting = FlowQueue> {
  /** By rank; those that hold a queue. */
  readonly #tiers: Tier<Q>[] = [];
  readonly #waiting = BANDS.map(() => 0);
  /** Turns of other bands since the last one of each band that waits. */
  readonly #passedOver = BANDS.map(() => 0);

  get size(): number {
    return this.#waiting.reduce((sum, count) => sum + count, 0);
  }

  /** Flows that wait in this band or one that goes before it, those of each rank by themselves. */
  flowsUpTo(band: number): number {
    let count = 0;
    for (const tier of this.#tiers) if (tier.band <= band) count += tier.flows.size;
    return count;
  }

  /** Whether a band but this one waits. */
  othersThan(band: number): boolean {
    return this.#waiting.some((count, other) => other !== band && count > 0);
  }

  *queues(): Generator<Q> {
    for (const { flows } of this.#tiers) for (const queues of flows.values()) yield* queues;
  }

  /** False when it is there already. */
  add(queue: Q): boolean {
    const { flows, band } = this.#tier(queue.head.rank);
    const queues = flows.get(queue.head.flow);
    if (queues?.has(queue)) return false;
    this.#waiting[band]!++;
    if (queues) queues.add(queue);
    else flows.set(queue.head.flow, new Set([queue]));
    return true;
  }

  /** False when it is not there. */
  delete(queue: Q): boolean {
    const { rank, flow } = queue.head;
    const tier = this.#known(rank);
    const queues = tier?.flows.get(flow);
    if (!tier || !queues?.delete(queue)) return false;
    if (--this.#waiting[tier.band]! === 0) this.#passedOver[tier.band] = 0;
    if (queues.size === 0) tier.flows.delete(flow);
    if (tier.flows.size === 0) this.#tiers.splice(this.#at(rank), 1);
    return true;
  }

  clear(): void {
    this.#tiers.length = 0;
    this.#waiting.fill(0);
    this.#passedOver.fill(0);
  }

  /** The queue whose turn it is, among the flows that `may` have one (asked of the flow's first queue). */
  next(may: (queue: Q) => boolean = () => true): Q | undefined {
    const overdue = this.#overdue();
    if (overdue !== undefined) {
      const queue = this.#nextOf((tier) => tier.band === overdue, may);
      if (queue) return queue;
    }
    return this.#nextOf(() => true, may);
  }

  /** The queue has its turn, worth so many deliveries: it and its flow go to the end. */
  took(queue: Q, count = 1): void {
    const { rank, flow } = queue.head;
    const band = bandOfRank(rank);
    for (const other of BANDS.keys()) {
      if (other === band) this.#passedOver[other] = 0;
      else if (this.#waiting[other]! > 0) this.#passedOver[other]! += count;
    }
    const flows = this.#known(rank)?.flows;
    const queues = flows?.get(flow);
    if (!flows || !queues?.delete(queue)) return;
    queues.add(queue);
    flows.delete(flow);
    flows.set(flow, queues);
  }

  /** How many queues of this one's flow and rank wait. */
  siblings({ head }: Q): number {
    return this.#known(head.rank)?.flows.get(head.flow)?.size ?? 0;
  }

  #nextOf(fits: (tier: Tier<Q>) => boolean, may: (queue: Q) => boolean): Q | undefined {
    for (const tier of this.#tiers) {
      if (!fits(tier)) continue;
      for (const queues of tier.flows.values()) {
        const queue: Q = queues.values().next().value!;
        if (may(queue)) return queue;
      }
    }
    return undefined;
  }

  /** The band that was passed over most often, when that is often enough. */
  #overdue(): number | undefined {
    const most = Math.max(...this.#passedOver);
    return most >= PATIENCE ? this.#passedOver.indexOf(most) : undefined;
  }

  /** Where a rank is, or would be, in the list. */
  #at(rank: number): number {
    let [low, high] = [0, this.#tiers.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#tiers[middle]!.rank < rank) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #known(rank: number): Tier<Q> | undefined {
    const tier = this.#tiers[this.#at(rank)];
    return tier?.rank === rank ? tier : undefined;
  }

  #tier(rank: number): Tier<Q> {
    const known = this.#known(rank);
    if (known) return known;
    const at = this.#at(rank);
    const tier = { rank, band: bandOfRank(rank), flows: new Map<string, Set<Q>>() };
    this.#tiers.splice(at, 0, tier);
    return tier;
  }
}
