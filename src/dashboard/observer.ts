/** Sees each commit and keeps what the page shows of the recent past. Fixed memory; a few additions per event. */
import type { EventDraft } from '../queue/index.ts';
import { RecentEvents } from './recent-events.ts';
import { RefusalTally } from './refusal-tally.ts';
import { type Counted, TimeRing } from '../alerts/index.ts';

const MINUTE_MS = 60_000;
/** Cells beyond this many are counted in the sums only. */
const MOST_CELLS = 5_000;
const MOST_CAMPAIGNS = 20_000;
const PERIOD_MS = 150_000;
const LEAST_SECONDS = 60;

export interface CellCounts {
  delivered: number;
  refused: number;
}

export class Observer {
  readonly hour = new TimeRing(MINUTE_MS, 60);
  readonly minute = new TimeRing(1_000, 60);
  readonly refusals = new RefusalTally();
  readonly recent = new RecentEvents();
  #cells = new Map<string, Map<string, CellCounts>>();
  #cellsBefore = new Map<string, Map<string, CellCounts>>();
  #cellCount = 0;
  /** Deliveries that ended, by account and campaign. */
  #ended = new Map<string, number>();
  #endedBefore = new Map<string, number>();
  /** Wall time (ms) from which the counts of the last minutes are. */
  #since = 0;
  #until = 0;

  add(event: EventDraft): void {
    this.recent.add(event);
    const what = countedAs(event);
    // What a late report takes back has ended before.
    const ends = event.type === 'undelivered' || what === 'delivered' || what === 'hard';
    if (ends && event.corrects === undefined) this.#countEnded(event);
    if (!what) return;
    this.hour.add(what, event.time);
    this.minute.add(what, event.time);
    if (what === 'complaints') return;
    const cell = this.#cell(event);
    if (what === 'delivered') {
      if (cell) cell.delivered++;
      return;
    }
    if (cell) cell.refused++;
    this.refusals.add(event);
  }

  /** What became of the attempts of the last 2.5 to 5 minutes. */
  recently(node: string, isp: string, now: number): CellCounts {
    this.#turnTo(now);
    const [a, b] = [this.#cells.get(node)?.get(isp), this.#cellsBefore.get(node)?.get(isp)];
    return {
      delivered: (a?.delivered ?? 0) + (b?.delivered ?? 0),
      refused: (a?.refused ?? 0) + (b?.refused ?? 0),
    };
  }

  /** Deliveries of a campaign that ended, per second, in the last minutes. */
  campaignSpeed(account: string, campaign: string, now: number): number {
    this.#turnTo(now);
    const key = campaignKey(account, campaign);
    return ((this.#ended.get(key) ?? 0) + (this.#endedBefore.get(key) ?? 0)) / this.seconds(now);
  }

  /** How many seconds `recently` and `campaignSpeed` are about; at least a minute, so that a start is no rush. */
  seconds(now: number): number {
    return Math.max(LEAST_SECONDS, (now - this.#since) / 1000);
  }

  #countEnded({ account_id: account = '', campaign_id: campaign = '', time }: EventDraft): void {
    this.#turnTo(time);
    const key = campaignKey(account, campaign);
    const count = this.#ended.get(key);
    if (count !== undefined || this.#ended.size < MOST_CAMPAIGNS) this.#ended.set(key, (count ?? 0) + 1);
  }

  #cell({ node = '', isp = 'other', time }: EventDraft): CellCounts | undefined {
    this.#turnTo(time);
    const known = this.#cells.get(node)?.get(isp);
    if (known || this.#cellCount >= MOST_CELLS) return known;
    let ofNode = this.#cells.get(node);
    if (!ofNode) this.#cells.set(node, (ofNode = new Map<string, CellCounts>()));
    const cell = { delivered: 0, refused: 0 };
    ofNode.set(isp, cell);
    this.#cellCount++;
    return cell;
  }

  #turnTo(now: number): void {
    if (now < this.#until) return;
    const start = now - (now % PERIOD_MS);
    const goesOn = start === this.#until;
    this.#cellsBefore = goesOn ? this.#cells : new Map<string, Map<string, CellCounts>>();
    this.#endedBefore = goesOn ? this.#ended : new Map<string, number>();
    this.#since = goesOn ? Math.max(this.#since, start - PERIOD_MS) : now;
    this.#cells = new Map();
    this.#ended = new Map();
    this.#cellCount = 0;
    this.#until = start + PERIOD_MS;
  }
}

const campaignKey = (account: string, campaign: string): string => `${account}\0${campaign}`;

function countedAs({ type, reply }: EventDraft): Counted | undefined {
  if (type === 'delivered') return 'delivered';
  if (type === 'soft_bounce') return 'soft';
  if (type === 'hard_bounce') return 'hard';
  if (type === 'complaint') return 'complaints';
  // Given up after its last attempt: that attempt was refused too.
  return type === 'undelivered' && reply ? 'soft' : undefined;
}
