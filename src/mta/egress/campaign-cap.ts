/**
 * The limits of one campaign as they are spent: a rate that all nodes and ISPs share, growing from a first speed where
 * that is asked for, and how many recipients a start of the campaign may reach. Mail is leased as it may go and no
 * sooner (`room`), so what waits for the campaign stays in the store as it is and is in nobody's way.
 *
 * What a restart needs is stored with the lease, before it is spent (`mark`): afterwards it may be less that goes, and
 * never more. So only what was leased under the limit, and in the same start, counts as covered (held.ts); the rest goes
 * back and is leased anew. A delivery spends just before RCPT, beside the token of its lane.
 */
import type { Clock, Rate } from '../../core/index.ts';
import type { LimitMark } from '../../queue/index.ts';
import { Held } from './held.ts';
import { Limiter, type LimiterMark, type LimiterOptions } from './limiter.ts';
import { msSince } from './moment.ts';
import { Parking } from './parking.ts';
import type { SharedLimit } from './shared-limit.ts';
import { type Cap, CAP_WAIT_MS } from './token-line.ts';
import { nextMessageIn } from './wait-text.ts';

/** Absent is no limit. */
export interface CampaignLimit {
  readonly rate?: Rate | undefined;
  /** Recipients from one start to the next. */
  readonly perStart?: number | undefined;
  /** The speed of the first time, and by how many percent it grows after each `everyMs` of sending, up to `rate`. */
  readonly growth?: { readonly from: Rate; readonly percent: number; readonly everyMs: number } | undefined;
}

export interface CapMark {
  readonly limiter: LimiterMark;
  /** Which start `used` is about (wall ms). */
  readonly start: number;
  readonly used: number;
  /** The growth that is under way, and for how long when the mark was made. */
  readonly grows?: { readonly by: string; readonly ms: number } | undefined;
}

const MOST = 1e9;

export interface CampaignCapOptions {
  readonly clock: Clock;
  /** Where its mark is stored. */
  readonly key: string;
  readonly limit: CampaignLimit;
  /** When the campaign was started last (wall ms). */
  readonly start: number;
  readonly mark?: CapMark | undefined;
}

export class CampaignCap implements SharedLimit {
  readonly #key: string;
  #limit: CampaignLimit;
  #start: number;
  /** Queues with mail that is due and waits for the campaign. */
  readonly parking = new Parking(this);
  readonly #clock: Clock;
  readonly #limiter: Limiter;
  readonly #held: Held;
  #used: number;
  /** When the first message under this growth went (mono ms). */
  #first: number | undefined;
  #step = -1;

  constructor({ clock, key, limit, start, mark }: CampaignCapOptions) {
    this.#clock = clock;
    this.#key = key;
    this.#limit = limit;
    this.#start = start;
    this.#used = mark?.start === start ? mark.used : 0;
    if (mark?.grows && mark.grows.by === growthOf(limit))
      this.#first = clock.mono() - mark.grows.ms - msSince(clock, mark.limiter);
    this.#limiter = new Limiter(clock, optionsOf(this.#rateNow()), mark?.limiter);
    this.#held = new Held({
      clock,
      waitMs: (n) => this.#limiter.waitMs(n),
      onRoom: () => this.parking.lookAgain(),
    });
  }

  /** Other limits, or a new start; what was sent stays sent. */
  configure(limit: CampaignLimit, start: number): void {
    if (start !== this.#start) {
      this.#used = 0;
      this.#held.clear();
    }
    if (growthOf(limit) !== growthOf(this.#limit)) this.#first = undefined;
    this.#limit = limit;
    this.#start = start;
    this.#step = -1;
    this.#grow();
  }

  get limit(): CampaignLimit {
    return this.#limit;
  }

  /** When the campaign was started last (wall ms). */
  get start(): number {
    return this.#start;
  }

  /** Recipients since the start. */
  get used(): number {
    return this.#used;
  }

  /** The speed of now; undefined: none. */
  get rate(): Rate | undefined {
    this.#grow();
    return this.#rateNow();
  }

  capOf(ids: readonly string[]): Cap {
    return this.#held.capOf(ids, { waitMs: () => this.waitMs(), take: (...how) => this.#take(...how) });
  }

  /** What a campaign may is asked for one by one. */
  together(): number {
    return 1;
  }

  /** Those of a start before are not covered: the mark in the store spoke of that one. */
  requested(count: number): ReturnType<SharedLimit['requested']> {
    return this.#held.requested(count);
  }

  lets(id: string): boolean {
    return this.#held.covers(id) && this.waitMs() <= CAP_WAIT_MS;
  }

  settled(id: string): void {
    this.#held.settled(id);
  }

  room(most: number): number {
    this.#grow();
    return this.#held.room(Math.max(0, Math.min(most, this.#left)));
  }

  /** ms until a delivery may go; Infinity when only a start or other limits let one go. */
  waitMs(): number {
    this.#grow();
    return this.#usedUp ? Infinity : this.#limiter.waitMs();
  }

  #take(id: string | undefined, since: number | undefined): void {
    this.#first ??= this.#clock.mono();
    this.#used++;
    this.#limiter.take(since);
    if (id !== undefined) this.#held.spent(id);
  }

  /** ms until it makes sense to ask for room again; Infinity when only a start or other limits make some. */
  nextRoomMs(): number {
    this.#grow();
    return this.#left <= 0 ? Infinity : Math.min(this.#held.nextRoomMs(), this.#toNextStep());
  }

  stored(count = this.#held.size): LimitMark {
    return { key: this.#key, value: this.#mark(count) };
  }

  #mark(n: number): CapMark {
    const [now, by] = [this.#clock.mono(), growthOf(this.#limit)];
    const first = this.#first ?? (n > 0 ? now : undefined);
    const grows = by === undefined || first === undefined ? undefined : { by, ms: now - first };
    return { limiter: this.#limiter.mark(n), start: this.#start, used: this.#used + n, grows };
  }

  /** Why nothing goes, in words; undefined when something does. */
  waiting(): string | undefined {
    const { perStart } = this.#limit;
    if (this.#usedUp)
      return `limit of the campaign: ${perStart} per start are used up; the rest waits for its next start`;
    const rate = this.rate;
    const wait = this.waitMs();
    if (!rate || (wait === 0 && this.parking.size === 0)) return undefined;
    const speed = `${rate.count} per ${rate.perMs / 1000} s`;
    const now = this.#limit.growth ? `${speed} now, growing` : speed;
    return `limit of the campaign: ${now}; ${nextMessageIn(wait)}`;
  }

  /** Of this start, without what is in memory; it looks again when some of that goes back (`onRoom`). */
  get #left(): number {
    return (this.#limit.perStart ?? Infinity) - this.#used - this.#held.size;
  }

  get #usedUp(): boolean {
    return this.#used >= (this.#limit.perStart ?? Infinity);
  }

  #grow(): void {
    const step = this.#stepNow();
    if (step === this.#step) return;
    this.#step = step;
    this.#limiter.configure(optionsOf(this.#rateNow()));
  }

  #stepNow(): number {
    const { growth } = this.#limit;
    if (!growth || this.#first === undefined) return 0;
    return Math.floor((this.#clock.mono() - this.#first) / growth.everyMs);
  }

  #toNextStep(): number {
    const { growth } = this.#limit;
    if (!growth || this.#first === undefined) return Infinity;
    return growth.everyMs - ((this.#clock.mono() - this.#first) % growth.everyMs);
  }

  #rateNow(): Rate | undefined {
    const { rate, growth } = this.#limit;
    if (!growth) return rate;
    const factor = (1 + growth.percent / 100) ** this.#stepNow();
    const grown = {
      count: Math.floor(Math.min(MOST, growth.from.count * factor)),
      perMs: growth.from.perMs,
    };
    return rate && perMs(rate) <= perMs(grown) ? rate : grown;
  }
}

const growthOf = ({ growth }: CampaignLimit): string | undefined => growth && JSON.stringify(growth);

const perMs = ({ count, perMs: ms }: Rate): number => count / ms;

const optionsOf = (rate: Rate | undefined): LimiterOptions => ({
  rate: rate ?? null,
  burst: 1,
  dailyLimit: null,
  timezone: 'UTC',
});
