/** Sees each commit and keeps what the page shows of the recent past. Fixed memory; a few additions per event. */
import { draftsOf, type EventDraft, type EventRun } from '../queue/index.ts';
import { OF_EACH, RecentEvents } from './recent-events.ts';
import { RefusalTally } from './refusal-tally.ts';
import { type Counted, TimeRing } from '../alerts/index.ts';

const MINUTE_MS = 60_000;
/** Cells beyond this many are counted in the sums only. */
const MOST_CELLS = 50_000;
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
  /** Wall time (ms). */
  lastDelivered: number | undefined;
  #cells = new Map<string, Map<string, CellCounts>>();
  #cellsBefore = new Map<string, Map<string, CellCounts>>();
  #cellCount = 0;
  /** Wall time (ms) from which the counts of the last minutes are. */
  #since = 0;
  #until = 0;

  add(event: EventDraft): void {
    this.recent.add(event);
    const what = countedAs(event);
    if (!what || event.test) return;
    this.hour.add(what, event.time);
    this.minute.add(what, event.time);
    if (what === 'complaints') return;
    const cell = this.#cell(event);
    if (what === 'delivered') {
      this.lastDelivered = event.time;
      if (cell) cell.delivered++;
      return;
    }
    if (cell) cell.refused++;
    this.refusals.add(event);
  }

  /** Of what a job removed or moved the newest are shown; none of it was an attempt. */
  addRun(run: EventRun): void {
    for (const event of draftsOf(run, OF_EACH)) this.recent.add(event);
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

  /** How many seconds `recently` is about; at least a minute, so that a start is no rush. */
  seconds(now: number): number {
    return Math.max(LEAST_SECONDS, (now - this.#since) / 1000);
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
    this.#since = goesOn ? Math.max(this.#since, start - PERIOD_MS) : now;
    this.#cells = new Map();
    this.#cellCount = 0;
    this.#until = start + PERIOD_MS;
  }
}

function countedAs({ type, reply }: EventDraft): Counted | undefined {
  if (type === 'delivered') return 'delivered';
  if (type === 'soft_bounce') return 'soft';
  if (type === 'hard_bounce') return 'hard';
  if (type === 'complaint') return 'complaints';
  // Given up after its last attempt: that attempt was refused too.
  return type === 'undelivered' && reply ? 'soft' : undefined;
}
