/**
 * Standing marks: what operators hold, and what they released. The last mark that fits decides, also for mail that
 * comes later. A mark on whole queues costs nothing per delivery: it is a flag on their heads. The deliveries that a
 * mark by recipient or age fits stand in queues of their own (`mark` in the key), so that their head can have the flag.
 */
import { domainOf } from '../core/index.ts';
import type { Transaction } from './committer.ts';
import { concerns, type Operation, placesOf } from './job.ts';
import { numberKey, parseNumberKey } from './keys.ts';
import type { Kv } from './kv.ts';
import type { QueueKey } from './queue-head.ts';
import {
  type DamageTold,
  type DeliveryRecord,
  encode,
  healthy,
  type MessageRecord,
  TOLD_NOBODY,
} from './records.ts';
import {
  covers,
  fitsDelivery,
  fitsQueue,
  type IspOf,
  isWhole,
  overlapOf,
  type Selector,
} from './selector.ts';

export interface Mark {
  readonly id: number;
  /** False: released. */
  readonly hold: boolean;
  readonly selector: Selector;
  /** When it was set (wall ms). */
  readonly at: number;
  /** Name of the operator, where one was said. */
  readonly by?: string | undefined;
  /** Set by a caller that may touch a part of the mail only; such a one takes no mark away that has not this. */
  readonly bound?: true | undefined;
}

/** Marks that can stand; more would make every new queue slow. Half of them are for callers that are not bound. */
export const MAX_MARKS = 1_000;

/** What a job is about to take away: it is not sent any more, and what was accepted after the job goes on. */
export interface Stop {
  readonly fits: (queue: Omit<QueueKey, 'rank'>) => boolean;
  /** Of messages with a smaller number. */
  readonly watermark: number;
  /** When the job was asked for (wall ms). */
  readonly at: number;
  /** Asked for just now: what it does not keep back is told of as it is added. */
  readonly fresh: boolean;
}

export class Holds {
  #marks: readonly Mark[] = [];
  /** By the job that goes through the queues. Not stored, as the job is. */
  readonly #stops = new Map<number, Stop>();
  /** Whether a mark speaks of single deliveries. */
  single = false;
  /** Which ISP a domain belongs to; nobody knows until the sending side is there. */
  ispOf: IspOf = () => undefined;

  /** A mark that cannot be read holds all mail: what waits can be let go, what was sent cannot be called back. */
  constructor(kv: Kv, told: DamageTold = TOLD_NOBODY) {
    const marks = [...kv.range('holds', {})].map(({ key, value }) => {
      const mark = healthy<Mark>(value);
      if (!mark)
        told('a hold or release', 'all mail is held: look at the holds, then release all that may go');
      return mark ?? { id: parseNumberKey(key), hold: true, selector: {}, at: 0 };
    });
    this.set(marks);
  }

  /** In the order in which they were set. */
  get marks(): readonly Mark[] {
    return this.#marks;
  }

  get byIsp(): boolean {
    return this.#marks.some(({ selector }) => selector.isp !== undefined);
  }

  /** Whether a queue is held. */
  holds(queue: Omit<QueueKey, 'rank'>): boolean {
    return this.heldBy(queue) !== undefined;
  }

  /** The stop of a job that goes through the queue: the newest one, which keeps back what the others do. */
  stopOf(queue: Omit<QueueKey, 'rank'>): Stop | undefined {
    let last: Stop | undefined;
    for (const stop of this.#stops.values()) if (stop.fits(queue)) last = stop;
    return last;
  }

  stop(job: number, stop: Stop): void {
    this.#stops.set(job, stop);
  }

  /** Says whether there was such a stop. */
  unstop(job: number): boolean {
    return this.#stops.delete(job);
  }

  /** The hold that keeps a queue; undefined where it is not held. */
  heldBy(queue: Omit<QueueKey, 'rank'>): Mark | undefined {
    let last: Mark | undefined;
    for (const mark of this.#marks) {
      const { id, selector } = mark;
      const fits = isWhole(selector) ? fitsQueue(selector, queue, this.ispOf) : queue.mark === id;
      if (fits) last = mark;
    }
    return last?.hold ? last : undefined;
  }

  /** The mark in whose queue a delivery of `queue` stands; 0 for none. */
  markOf(
    queue: Omit<QueueKey, 'rank' | 'mark'>,
    { number, recipient }: { readonly number: number; readonly recipient: string },
  ): number {
    let mark = 0;
    for (const { id, selector } of this.#marks) {
      if (isWhole(selector) || !fitsQueue(selector, queue, this.ispOf)) continue;
      if (fitsDelivery(selector, number, { recipient })) mark = id;
    }
    return mark;
  }

  /** The record with the mark that fits its delivery now; the same record where that has not changed. */
  placed(
    number: number,
    record: DeliveryRecord,
    message: Pick<MessageRecord, 'accountId' | 'campaignId'>,
  ): DeliveryRecord {
    if (!this.single && record.mark === undefined) return record;
    const { recipient, node, sender } = record;
    const { accountId: account = '', campaignId: campaign = '' } = message;
    const queue = { node, sender, account, campaign, domain: domainOf(recipient) };
    const mark = this.markOf(queue, { number, recipient }) || undefined;
    return mark === record.mark ? record : { ...record, mark };
  }

  /**
   * The hold from which an operation of a bound caller would let mail go although it is not the caller's: not set within
   * what `owns` says, or by somebody who may touch all. A release lifts it; a move or change takes mail to where it does
   * not hold. One that a later release has lifted from all that is meant keeps nothing.
   */
  keeperOf(
    { operation, selector }: { readonly operation: Operation; readonly selector: Selector },
    owns: (selector: Selector) => boolean,
  ): Mark | undefined {
    const places = placesOf(operation);
    if (operation.op !== 'release' && places.length === 0) return undefined;
    return this.#marks.find((mark, at) => {
      if (!mark.hold || (mark.bound && owns(mark.selector))) return false;
      const both = overlapOf(mark.selector, selector, this.ispOf);
      if (!both || !concerns(operation, both)) return false;
      const releases = this.#marks.slice(at + 1).filter(({ hold }) => !hold);
      if (releases.some((release) => covers(release.selector, both))) return false;
      return (
        operation.op === 'release' ||
        places.some((place) => {
          const there = { ...both, ...place };
          return !covers(mark.selector, there) || releases.some((one) => this.#letsGo(one, place, there));
        })
      );
    });
  }

  /** Whether a release is about the place where mail would be, and about some of that mail. */
  #letsGo({ selector }: Mark, place: Selector, there: Selector): boolean {
    const names = Object.keys(place) as (keyof Selector)[];
    return (
      names.some((name) => selector[name] !== undefined) &&
      overlapOf(selector, there, this.ispOf) !== undefined
    );
  }

  /** The marks once this one is set: those that it covers go, and a release that has nothing under it does. */
  with(mark: Mark): readonly Mark[] {
    const kept = this.#marks.filter(
      ({ selector, bound }) => (mark.bound && !bound) || !covers(mark.selector, selector),
    );
    const all = [...kept, mark];
    const first = all.findIndex(({ hold }) => hold);
    return first < 0 ? [] : all.slice(first);
  }

  /** Adds what a change of the marks writes. */
  write({ ops }: Transaction, next: readonly Mark[]): void {
    for (const { id } of this.#marks)
      if (!next.some((mark) => mark.id === id))
        ops.push({ table: 'holds', key: numberKey(id), value: undefined });
    for (const mark of next)
      if (!this.#marks.includes(mark))
        ops.push({ table: 'holds', key: numberKey(mark.id), value: encode(mark) });
  }

  /** The commit that wrote them is durable. */
  set(next: readonly Mark[]): void {
    this.#marks = next;
    this.single = next.some(({ selector }) => !isWhole(selector));
  }
}
