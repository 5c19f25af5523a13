/**
 * The speed of a (node, ISP): at most `count` recipients in any half-open window of `perMs`, and at most `dailyLimit`
 * in a calendar day of `timezone`. Exact, smooth, and it knows when the next token comes, so nobody polls.
 *
 * GCRA with the emission interval perMs / (count - burst + 1): a burst of `burst` followed by evenly spaced tokens
 * never puts more than `count` into a window. Time is monotonic while running. `mark` is what must be stored before
 * tokens are spent. After a crash a restart takes all of them for spent, as late as they may have been: since no more
 * than a burst of them goes at one moment, that costs no more than a burst. The time between is that of the machine's
 * monotonic clock, whatever the wall clock was set to; only after a start of the machine itself it is the wall clock's,
 * and one that stepped back counts as no time at all.
 *
 * Timers fire late. A fast limiter therefore lets who has waited for a token catch up with up to `slack`, and makes
 * the interval so much longer that no window notices: (perMs + slack) / (count - burst + 1).
 */
import { type Clock, dayAt, type Rate } from '../../core/index.ts';
import { type Moment, momentOf, msSince } from './moment.ts';

interface Speed {
  readonly rate: Rate | null;
  readonly burst: number;
}

export interface LimiterOptions extends Speed {
  readonly dailyLimit: number | null;
  readonly timezone: string;
}

/** State of a limiter as the store keeps it: wait left at a moment, recipients by day; reserved ones included. */
export interface LimiterMark extends Moment {
  /** ms after `at` until which tokens are granted, if those that were reserved are spent at once. */
  readonly aheadMs: number;
  /** What the reserved ones are worth, in ms. */
  readonly reservedMs: number;
  readonly days: Readonly<Record<string, number>>;
  /** The rate and burst it was made for. */
  readonly speed?: string;
}

/** Less is the dust of adding doubles, and no wait. */
const DUST_MS = 1e-6;
/** What may be caught up with: timers are late by a few ms, under load by more. It costs at most 0.5 % of the speed. */
const MAX_SLACK_MS = 20;
const SLACK_SHARE = 1 / 200;
/** Slower ones lose nothing that counts by a late timer. */
const FAST_INTERVAL_MS = 1_000;
/** Days that are remembered, for a clock that is set back. */
const DAYS_KEPT = 4;

interface Day {
  readonly name: string;
  /** Wall ms: from the moment it was looked up to its end. */
  readonly since: number;
  readonly endsAt: number;
}

export class Limiter {
  readonly #clock: Clock;
  #options: LimiterOptions;
  /** Theoretical arrival time of the next token (mono ms). */
  #arrival: number;
  #day: Day;
  /** Recipients by day. One in the future comes from a clock that was ahead, so it counts for today, too. */
  readonly #counts = new Map<string, number>();

  constructor(clock: Clock, options: LimiterOptions, mark?: LimiterMark) {
    this.#clock = clock;
    this.#options = options;
    this.#arrival = clock.mono();
    this.#day = this.#today();
    if (mark) this.#restore(mark);
  }

  /**
   * Changes the speed, as a start with another one does; what was spent stays spent, and a burst has to be earned first.
   * A faster one holds at once: the next token comes by its interval, and not when it would have come by the old one.
   */
  configure(options: LimiterOptions): void {
    const moved = options.timezone !== this.#options.timezone;
    const other = speedOf(options) !== speedOf(this.#options);
    const before = this.#options;
    this.#options = options;
    if (moved) this.#day = this.#today();
    if (!other) return;
    const now = this.#clock.mono();
    const ahead = this.#arrival - now;
    if (ahead > 0) this.#arrival = now + ahead * this.#share(before);
    this.#emptyBucket();
  }

  /** True when neither rate nor daily limit applies. */
  get unlimited(): boolean {
    return this.#options.rate === null && this.#options.dailyLimit === null;
  }

  /** ms until the n-th token from now may be spent; 0 means at once. */
  waitMs(n = 1): number {
    const { dailyLimit } = this.#options;
    this.#turnDay();
    const day =
      dailyLimit !== null && this.#used() + n > dailyLimit ? this.#day.endsAt - this.#clock.now() : 0;
    const wait = Math.max(day, this.#rateWait(n));
    return wait > DUST_MS ? wait : 0;
  }

  /**
   * Spends a token. The caller has seen `waitMs() === 0`, and has waited for it since `since` (mono ms): what a timer
   * was late is not lost, up to the slack.
   */
  take(since = Infinity): void {
    this.#turnDay();
    this.#counts.set(this.#day.name, (this.#counts.get(this.#day.name) ?? 0) + 1);
    if (!this.#options.rate) return;
    const now = this.#clock.mono();
    const from = Math.min(now, Math.max(since, now - this.#slack()));
    this.#arrival = Math.max(from, this.#arrival) + this.#interval();
  }

  /** How many tokens can be spent within the next `ms`, at most `max`. */
  within(ms: number, max: number): number {
    let n = 0;
    while (n < max && this.waitMs(n + 1) <= ms) n++;
    return n;
  }

  /** What to store before `n` further tokens are spent. */
  mark(n: number): LimiterMark {
    this.#turnDay();
    const { rate } = this.#options;
    const reservedMs = rate ? Math.min(n, this.#burst) * this.#interval() : 0;
    const aheadMs = Math.max(0, this.#arrival - this.#clock.mono()) + reservedMs;
    const { name } = this.#day;
    const days = { ...Object.fromEntries(this.#counts), [name]: (this.#counts.get(name) ?? 0) + n };
    return { ...momentOf(this.#clock), aheadMs, reservedMs, days, speed: speedOf(this.#options) };
  }

  #restore({ aheadMs, reservedMs, days, speed, ...mark }: LimiterMark): void {
    const elapsed = msSince(this.#clock, mark);
    const share = speed === undefined ? 1 : this.#share(speedFrom(speed));
    this.#arrival = this.#clock.mono() + Math.max(aheadMs - elapsed, reservedMs) * share;
    for (const [name, count] of Object.entries(days)) this.#counts.set(name, count);
    if (speed !== speedOf(this.#options)) this.#emptyBucket();
  }

  /** How much of a wait by another speed is left by this one: less when this one is faster, never more. */
  #share({ rate, burst }: Speed): number {
    if (!rate || !this.#options.rate) return 1;
    return Math.min(1, this.#interval() / intervalOf(rate, burst));
  }

  /** The next token comes when it would have come anyway, and no burst with it. */
  #emptyBucket(): void {
    if (!this.#options.rate || this.#burst <= 1) return;
    const now = this.#clock.mono();
    this.#arrival = Math.max(now, this.#arrival) + (this.#burst - 1) * this.#interval();
  }

  /** Tokens that may be spent at one moment. */
  get #burst(): number {
    const { rate, burst } = this.#options;
    return rate ? Math.min(burst, rate.count) : Infinity;
  }

  #interval(): number {
    const { rate, burst } = this.#options;
    return intervalOf(rate!, burst);
  }

  #slack(): number {
    const { rate, burst } = this.#options;
    return slackOf(rate!, burst);
  }

  #rateWait(n: number): number {
    if (!this.#options.rate) return 0;
    const now = this.#clock.mono();
    const first = Math.max(now, this.#arrival);
    return first + (n - this.#burst) * this.#interval() - now;
  }

  #used(): number {
    let used = 0;
    for (const [name, count] of this.#counts) if (name >= this.#day.name) used += count;
    return used;
  }

  /** A day ends, or the clock was set back. */
  #turnDay(): void {
    const now = this.#clock.now();
    if (now >= this.#day.since && now < this.#day.endsAt) return;
    this.#day = this.#today();
    const old = [...this.#counts.keys()].sort().slice(0, -DAYS_KEPT);
    for (const name of old) this.#counts.delete(name);
  }

  #today(): Day {
    const since = this.#clock.now();
    return { ...dayAt(since, this.#options.timezone), since };
  }
}

const intervalOf = (rate: Rate, burst: number): number =>
  (rate.perMs + slackOf(rate, burst)) / Math.max(1, rate.count - burst + 1);

function slackOf({ count, perMs }: Rate, burst: number): number {
  if (perMs / Math.max(1, count - burst + 1) >= FAST_INTERVAL_MS) return 0;
  return Math.min(MAX_SLACK_MS, perMs * SLACK_SHARE);
}

/** A speed as marks keep it; read again by `speedFrom`. */
const speedOf = ({ rate, burst }: Speed): string => (rate ? `${rate.count}/${rate.perMs}/${burst}` : '');

function speedFrom(speed: string): Speed {
  const [count, perMs, burst] = speed.split('/').map(Number);
  return { rate: count && perMs ? { count, perMs } : null, burst: burst ?? 1 };
}

/** The window (ms) of the rate that a mark was made for; 0: none. */
export const windowOf = ({ speed = '' }: LimiterMark): number => speedFrom(speed).rate?.perMs ?? 0;
