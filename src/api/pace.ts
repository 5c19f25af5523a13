/**
 * How old what is queued is, how fast it goes, and when it will be over. The end is no earlier than
 * - at each ISP what may go, at the speed of the last minutes there: the slowest ISP decides, not the sum of all;
 * - the last next attempt: until then it is not known whether more follow.
 * Nobody knows the end where nothing goes to an ISP, nor that of what is held.
 */
import type { Row } from '../queue/index.ts';
import { addRow, noCounts, type QueueCounts } from './queue-counts.ts';

export interface Pace {
  /** Age of the oldest delivery, as of the last sweep of the queue or of what came into an empty row since; absent when neither is known. */
  readonly oldest_seconds?: number | undefined;
  /** Deliveries that ended, per second, over the last minutes. */
  readonly per_second: number;
  /** When what is not held will have ended at this speed; absent when nothing is left, when nobody knows, or for `earliest_end`. */
  readonly estimated_end?: string | undefined;
  /** In its place: the last of it waits for an attempt until then, so it ends no sooner. */
  readonly earliest_end?: string | undefined;
}

/** Later than any date that can be written. */
const FAR_MS = 8.64e15;

interface AtIsp {
  /** What may go. */
  due: number;
  perSecond: number;
}

/** What is queued of something, with what its pace depends on. */
export class Paced {
  readonly counts: QueueCounts = noCounts();
  /** Acceptance of the oldest one (wall ms), Infinity when that is not known. */
  oldest = Infinity;
  perSecond = 0;
  readonly #now: number;
  /** When the last of it is tried (wall ms). */
  #latest = -Infinity;
  readonly #isps = new Map<string, AtIsp>();
  /** Of more domains than have a speed of their own. */
  #othersPerSecond = 0;

  constructor(now: number) {
    this.#now = now;
  }

  add(
    row: Readonly<Row>,
    { isp, held, oldest }: { readonly isp: string; readonly held: number; readonly oldest: number },
  ): void {
    const { counts } = this;
    const before = counts.retry;
    addRow(counts, row, held);
    this.oldest = Math.min(this.oldest, oldest);
    const left = row.new + row.retry - held;
    if (left <= 0) return;
    const latest = row.latest ?? -Infinity;
    this.#latest = Math.max(this.#latest, latest);
    this.#at(isp).due += latest > this.#now ? left - (counts.retry - before) : left;
  }

  /** Deliveries of it that end at an ISP, per second; without a domain those of all that have no speed of their own. */
  addSpeed(isp: string, domain: string, perSecond: number): void {
    this.perSecond += perSecond;
    if (domain === '') this.#othersPerSecond += perSecond;
    else this.#at(isp).perSecond += perSecond;
  }

  pace(perSecond = this.perSecond): Pace {
    const now = this.#now;
    const end = this.#slowestEnd();
    const waits = this.#latest > now && !(this.#latest < end && end < FAR_MS);
    return {
      ...(Number.isFinite(this.oldest) && { oldest_seconds: Math.max(0, (now - this.oldest) / 1000) }),
      per_second: perSecond,
      ...(waits && { earliest_end: new Date(this.#latest).toISOString() }),
      ...(!waits && end > now && end < FAR_MS && { estimated_end: new Date(end).toISOString() }),
    };
  }

  #slowestEnd(): number {
    let end = this.#now;
    for (const { due, perSecond } of this.#isps.values())
      if (due > 0) end = Math.max(end, this.#now + (due / (perSecond || this.#othersPerSecond)) * 1000);
    return end;
  }

  #at(isp: string): AtIsp {
    let at = this.#isps.get(isp);
    if (!at) this.#isps.set(isp, (at = { due: 0, perSecond: 0 }));
    return at;
  }
}
