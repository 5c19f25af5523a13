/**
 * How old what is queued is, how fast it goes, and when it will be over. The end is no earlier than
 * - at each ISP what may go, at the speed of the last minutes there: the slowest ISP decides, not the sum of all;
 * - the same for each campaign with limits by itself, and no faster than its rate: what others do there is not its speed;
 * - the last next attempt: until then it is not known whether more follow.
 * Nobody knows the end where nothing goes to an ISP, where a campaign has to be started again first, nor that of what is
 * held.
 */
import type { CampaignCap } from '../mta/egress/index.ts';
import type { Row, RowKey } from '../queue/index.ts';
import { addRow, noCounts, type QueueCounts } from './queue-counts.ts';

export interface Pace {
  /** Age of the oldest delivery, as of the last sweep of the queue or of what came into an empty row since; absent when neither is known. */
  readonly oldest_seconds?: number | undefined;
  /** Deliveries that ended, per second, over the last minutes. */
  readonly per_second: number;
  /** When what is not held will have ended at this speed; absent when nothing is left, when nobody knows, or for `earliest_end`. */
  readonly estimated_end?: string | undefined;
  /** In its place: it ends no sooner, for the last of it waits for an attempt until then, or its campaign has a rate. */
  readonly earliest_end?: string | undefined;
}

/** Later than any date that can be written. */
const FAR_MS = 8.64e15;

export type SpeedOf = Pick<RowKey, 'account' | 'campaign' | 'domain'> & { readonly perSecond: number };

interface AtIsp {
  /** What may go. */
  due: number;
  perSecond: number;
}

/** A campaign with limits. */
interface Limited {
  readonly cap: CampaignCap;
  /** What of it may go. */
  due: number;
}

interface Place {
  readonly isp: string;
  readonly held: number;
  /** Acceptance of the oldest (wall ms). */
  readonly oldest: number;
  /** The limits of its campaign. */
  readonly cap: CampaignCap | undefined;
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
  /** By ISP, and by campaign where that has limits. */
  readonly #places = new Map<string, AtIsp>();
  #limited: Map<string, Limited> | undefined;
  /** Of more domains than have a speed of their own. */
  #othersPerSecond = 0;

  constructor(now: number) {
    this.#now = now;
  }

  add(row: Readonly<Row>, { isp, held, oldest, cap }: Place): void {
    const { counts } = this;
    const before = counts.retry;
    addRow(counts, row, held);
    this.oldest = Math.min(this.oldest, oldest);
    const left = row.new + row.retry - held;
    if (left <= 0) return;
    const latest = row.latest ?? -Infinity;
    this.#latest = Math.max(this.#latest, latest);
    const due = latest > this.#now ? left - (counts.retry - before) : left;
    if (cap) this.#limitedBy(cap, row).due += due;
    this.#at(isp, row).due += due;
  }

  /**
   * Deliveries of it that end at an ISP, per second; without a domain those of all that have no speed of their own. After
   * what is queued of it.
   */
  addSpeed(isp: string, { perSecond, ...of }: SpeedOf): void {
    this.perSecond += perSecond;
    if (of.domain === '') this.#othersPerSecond += perSecond;
    else this.#at(isp, of).perSecond += perSecond;
  }

  pace(perSecond = this.perSecond): Pace {
    const now = this.#now;
    const end = this.#slowestEnd();
    const isKnown = end < FAR_MS;
    const earliest = isKnown ? this.#latest : Math.max(this.#latest, this.#endByRates());
    const waits = earliest > now && earliest < FAR_MS && !(isKnown && earliest < end);
    return {
      ...(Number.isFinite(this.oldest) && { oldest_seconds: Math.max(0, (now - this.oldest) / 1000) }),
      per_second: perSecond,
      ...(waits && { earliest_end: new Date(earliest).toISOString() }),
      ...(!waits && end > now && isKnown && { estimated_end: new Date(end).toISOString() }),
    };
  }

  #slowestEnd(): number {
    let ms = 0;
    for (const { due, perSecond } of this.#places.values())
      if (due > 0) ms = Math.max(ms, (due / (perSecond || this.#othersPerSecond)) * 1000);
    for (const { cap, due } of this.#limited?.values() ?? [])
      if (due > (cap.limit.perStart ?? Infinity) - cap.used) return Infinity;
    return Math.max(this.#now + ms, this.#endByRates());
  }

  /** It is no sooner, whatever the speeds of now are. */
  #endByRates(): number {
    let ms = 0;
    for (const limited of this.#limited?.values() ?? []) ms = Math.max(ms, leastMs(limited));
    return this.#now + ms;
  }

  #at(isp: string, of: CampaignOf): AtIsp {
    const key = this.#limited?.has(campaignOf(of)) ? `${isp}\0${campaignOf(of)}` : isp;
    let at = this.#places.get(key);
    if (!at) this.#places.set(key, (at = { due: 0, perSecond: 0 }));
    return at;
  }

  #limitedBy(cap: CampaignCap, of: CampaignOf): Limited {
    this.#limited ??= new Map();
    const key = campaignOf(of);
    let limited = this.#limited.get(key);
    if (!limited) this.#limited.set(key, (limited = { cap, due: 0 }));
    return limited;
  }
}

type CampaignOf = Pick<RowKey, 'account' | 'campaign'>;
const campaignOf = ({ account, campaign }: CampaignOf): string => `${account}\0${campaign}`;

/** A rate that grows says nothing of the speed of later. */
function leastMs({ cap, due }: Limited): number {
  const { growth, rate } = cap.limit;
  return rate && !growth ? (due / rate.count) * rate.perMs : 0;
}
