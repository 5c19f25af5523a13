/**
 * What became of the mail to each ISP lately, from the events of the commits. No more than MOST ISPs have counts of
 * their own.
 */
import type { AlertsConfig } from '../config/index.ts';
import { domainOf } from '../core/index.ts';
import type { EventDraft } from '../queue/index.ts';
import { COUNTED, type Counted, type Counts, TimeRing } from './time-ring.ts';

const MOST = 300;
const REST = 'other';
/** Of a period. */
const STEPS = 60;

interface Isp {
  readonly bounces: TimeRing;
  readonly complaints: TimeRing;
  /** When it last took mail (wall ms). */
  deliveredAt: number | undefined;
}

export type Periods = Pick<AlertsConfig, 'periodMs' | 'complaintPeriodMs'>;

export class Traffic {
  readonly periods: Periods;
  readonly since: number;
  readonly #isps = new Map<string, Isp>();

  constructor(periods: Periods, since: number) {
    this.periods = periods;
    this.since = since;
  }

  /** `ispOf` knows the ISP of a domain: reports that come later do not name it. */
  add(event: EventDraft, ispOf: (domain: string) => string | undefined): void {
    const what = countedAs(event);
    if (!what || event.test) return;
    const isp = this.#isp(event.isp ?? ispOf(domainOf(event.recipient ?? '')) ?? REST);
    if (what === 'delivered') isp.deliveredAt = event.time;
    // Complaints are a share of what was delivered in their own, longer period.
    if (what === 'delivered' || what === 'complaints') isp.complaints.add(what, event.time);
    if (what !== 'complaints') isp.bounces.add(what, event.time);
  }

  /** Makes an ISP known of which nothing was seen yet. */
  know(isp: string): void {
    this.#isp(isp);
  }

  *shares(now: number): Generator<{ isp: string; bounces: Counts; complaints: Counts }> {
    for (const [isp, { bounces, complaints }] of this.#isps)
      yield { isp, bounces: bounces.sum(now), complaints: complaints.sum(now) };
  }

  /** Of all ISPs, in the period of bounces. */
  total(now: number): { since: number; sums: Counts; lastDelivered: number | undefined } {
    const sums = { delivered: 0, soft: 0, hard: 0, complaints: 0 };
    let last: number | undefined;
    for (const { bounces, deliveredAt = -Infinity } of this.#isps.values()) {
      const of = bounces.sum(now);
      for (const what of COUNTED) sums[what] += of[what];
      if (deliveredAt > (last ?? -Infinity)) last = deliveredAt;
    }
    return { since: Math.max(this.since, now - this.periods.periodMs), sums, lastDelivered: last };
  }

  /** When the ISP last took mail; before anything was seen of it, the time since which it would have been. */
  lastDelivered(isp: string): number {
    return this.#isps.get(isp)?.deliveredAt ?? this.since;
  }

  #isp(name: string): Isp {
    const known = this.#isps.get(name);
    if (known) return known;
    if (this.#isps.size >= MOST && name !== REST) return this.#isp(REST);
    const { periodMs, complaintPeriodMs } = this.periods;
    const made: Isp = {
      bounces: new TimeRing(periodMs / STEPS, STEPS),
      complaints: new TimeRing(complaintPeriodMs / STEPS, STEPS),
      deliveredAt: undefined,
    };
    this.#isps.set(name, made);
    return made;
  }
}

function countedAs({ type, reply, corrects }: EventDraft): Counted | undefined {
  if (type === 'delivered') return 'delivered';
  if (type === 'soft_bounce') return 'soft';
  if (type === 'hard_bounce') return 'hard';
  if (type === 'complaint') return 'complaints';
  // Given up after its last attempt: that attempt was refused too. A late report is no attempt.
  return type === 'undelivered' && reply && corrects === undefined ? 'soft' : undefined;
}
