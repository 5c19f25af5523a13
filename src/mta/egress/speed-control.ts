/**
 * How fast a (node, ISP) goes below what its strategy allows, by what the receiver says. Pure: no timers, no I/O.
 *
 * Down: when the share of trouble (rate limits, blocks) among the replies exceeds the threshold for long enough not to
 * be chance (CUSUM: a sum that falls with each good reply), the speed is multiplied by the accepted share, at most by `decrease` in one step; so a small excess costs little and a wall halves
 * it again and again, down to the floor. What was accepted meanwhile tells what the receiver bears: the **known**
 * speed. Up: each step without trouble adds a fixed part of the known speed until it is reached. There it is held, and
 * only then the next step is tried, a little one first, doubling while nothing happens. Trouble above the known
 * speed leads back below it and doubles the time until the next try: so a fixed limit is found from below and
 * touched more and more rarely. A speed just above the limit has less trouble than is acted on: it is trimmed.
 *
 * Trouble that does not depend on the speed (`trouble-count.ts`) is learned below the known speed, and where trimming does
 * not help. Below the known speed all that the threshold bears may come with a rise, above it what is usual.
 *
 * Replies to attempts that were on their way when the speed was lowered say nothing about the new one.
 */
import type { AdaptiveConfig } from '../../config/index.ts';
import type { BounceCategory, Clock } from '../../core/index.ts';
import type { LimiterOptions } from './limiter.ts';
import { Throughput } from './throughput.ts';
import { TroubleCount } from './trouble-count.ts';

/** Replies without which the known speed is not left. */
const JUDGED = 20;
/** How long replies come to what was sent before the speed was lowered. */
const SETTLE_MS = 2_000;
/** Below what was accepted, so that the next minute has no trouble. */
const BELOW = 0.95;
/** Nobody has to go slower than that by default (per second). */
const SLOW_ENOUGH = 0.1;
/** First try above the known speed. */
const FIRST_TRY = 0.05;
/** Trouble within this factor of the known speed confirms it; beyond it the receiver bears more by now. */
const TRY_RANGE = 1.3;
const TRIM = 0.98;
/** Below a speed that was borne for a minute. */
const CLOSE = 0.98;
/** No trimming below this part of the speed that it began at: trouble there has other reasons. */
const TRIMMED = 0.93;
/** A shorter wall needs no more patience than there is. */
const WALL_MS = 600_000;
const SHORTEST_CYCLE_MS = 60_000;
/** Speeds that are tried in the time in which a wall was met. */
const WALL_STEPS = 4;
const LONGEST_TRY = 0.5;
/** A speed that rose by this factor is announced. */
const NOTABLE = 1.25;
const LONGEST_HOLD_MS = 3_600_000;
/** A speed that is this much above the average was only borne for a while. */
const LONG_WALL = 1.5;
/** A slowed lane without mail: nothing says that the receiver still minds. */
const FORGOTTEN_MS = 24 * 3_600_000;

/** State of a speed that is lowered, as it is stored. */
export interface SpeedState {
  readonly perSecond: number;
  /** What the receiver is known to bear. */
  readonly known: number;
  readonly reason: string;
  /** Wall ms of the last change. */
  readonly changedAt: number;
  /** Wall ms and reason of the last cut. */
  readonly cutAt: number;
  readonly cutReason: string;
  /** How long the known speed is kept before more is tried. */
  readonly holdMs: number;
  /** The speed that met trouble last. */
  readonly failed: number;
  /** How long a speed may be borne that is not borne in the long run; 0: not seen yet. */
  readonly wallMs: number;
}

/** The limiter of a lowered speed. */
export const paceOf = (speed: number): LimiterOptions => ({
  rate: { count: 1, perMs: 1000 / speed },
  burst: 1,
  dailyLimit: null,
  timezone: 'UTC',
});

export interface SpeedChange {
  /** Per second; undefined: as fast as the strategy allows. */
  readonly from: number | undefined;
  readonly to: number | undefined;
  readonly reason: string;
  /** Worth an event: lowered, or by a good part higher than last announced. */
  readonly notable: boolean;
}

export interface SpeedControlOptions {
  readonly clock: Clock;
  readonly settings: AdaptiveConfig;
  /** Per second; undefined: the strategy has no rate. */
  readonly ceiling: number | undefined;
  /** Per second, what went out before anybody looked. */
  readonly measured?: number | undefined;
  readonly state: SpeedState | undefined;
  readonly onChange: (change: SpeedChange) => void;
}

export class SpeedControl {
  readonly #clock: Clock;
  readonly #onChange: (change: SpeedChange) => void;
  readonly #flow: Throughput;
  readonly #measured: number | undefined;
  #settings: AdaptiveConfig;
  #categories: ReadonlySet<BounceCategory>;
  #ceiling: number | undefined;
  #state: SpeedState | undefined;
  readonly #count = new TroubleCount();
  /** Replies until then (mono ms) are to attempts that were under way when the speed was lowered. */
  #settledAt = -Infinity;
  #stepAt: number;
  /** Until then (mono ms) no further rule lowers the speed. */
  #ruledUntil = -Infinity;
  #try = FIRST_TRY;
  /** The highest speed above the known one that was borne since the last trouble. */
  #borne = 0;
  /** Where a row of small steps down began. */
  #untrimmed: number | undefined;
  #announced = Infinity;
  #accepted = 0;
  /** When trouble was met last at a speed that seemed bearable. */
  #episode: { readonly at: number; readonly accepted: number } | undefined;

  constructor({ clock, settings, ceiling, measured, state, onChange }: SpeedControlOptions) {
    this.#clock = clock;
    this.#measured = measured;
    this.#onChange = onChange;
    this.#flow = new Throughput(clock);
    this.#settings = settings;
    this.#categories = new Set(settings.categories);
    this.#ceiling = ceiling;
    this.#stepAt = clock.mono();
    if (state) this.#restore(state);
  }

  /** Recipients per second; undefined: as fast as the strategy allows. */
  get perSecond(): number | undefined {
    return this.#state?.perSecond;
  }

  /** What is to be kept over a restart; undefined when nothing is slowed. */
  get state(): SpeedState | undefined {
    return this.#state;
  }

  /** Of trouble that this control minds. */
  minds(category: BounceCategory): boolean {
    return this.#categories.has(category);
  }

  configure(settings: AdaptiveConfig, ceiling: number | undefined): void {
    this.#settings = settings;
    this.#categories = new Set(settings.categories);
    this.#ceiling = ceiling;
    const speed = this.#state?.perSecond;
    if (speed !== undefined && ceiling !== undefined && speed >= ceiling)
      this.#change(undefined, 'the strategy is not faster than this any more');
  }

  accepted(): void {
    this.#accepted++;
    this.#flow.accepted();
    if (this.#clock.mono() < this.#settledAt) return;
    this.#add(false);
    if (this.#state && this.#clock.mono() - this.#stepAt >= this.#settings.stepMs) this.#step();
  }

  /** A refusal of any other kind is an answer, too: the receiver had time for it. */
  refused(category: BounceCategory, text: string): void {
    if (!this.#categories.has(category)) {
      this.accepted();
      return;
    }
    this.#flow.refused();
    if (this.#clock.mono() < this.#settledAt) return;
    this.#add(true);
    this.#judge(`${category}: ${text}`);
  }

  /** Lowers the speed by so much, by a rule; the same burst of replies lowers it once. Says whether it did. */
  slowDown(percent: number, reason: string): boolean {
    const now = this.#clock.mono();
    if (now < this.#ruledUntil) return false;
    this.#ruledUntil = now + this.#settings.stepMs;
    this.#cut(1 - percent / 100, reason);
    return true;
  }

  /** Back to the speed of the strategy, by hand. */
  reset(reason: string): void {
    if (this.#state) this.#change(undefined, reason);
  }

  /** Ends what nobody has had to do with for a day. */
  forget(): void {
    if (this.#state && this.#clock.now() - this.#state.changedAt > FORGOTTEN_MS)
      this.reset('nothing was sent for a day');
  }

  #add(trouble: boolean): void {
    const { threshold } = this.#settings;
    this.#count.add(trouble, threshold);
    if (!this.#state) this.#count.learnFree(threshold);
  }

  #judge(reason: string): void {
    if (!this.#count.isTooMuch(this.#settings.threshold)) return;
    const { share } = this.#count;
    const factor = Math.max(1 - this.#settings.decrease / 100, (1 - share) * BELOW);
    this.#cut(factor, `${Math.round(share * 100)} % ${reason}`);
  }

  #cut(factor: number, reason: string): void {
    const before = this.#base();
    const { cycle, wallMs } = this.#cycle(before);
    const to = Math.max(this.#floor(), Math.min(before * factor, cycle));
    const known = Math.min(this.#bearable(before), cycle);
    this.#settledAt = this.#clock.mono() + SETTLE_MS;
    this.#try = FIRST_TRY;
    this.#borne = 0;
    this.#untrimmed = undefined;
    const holdMs = Math.max(wallMs, this.#nextHold(before));
    const kept = { known: Math.max(to, known), holdMs, wallMs, failed: before };
    this.#change(to, reason, { ...kept, cutAt: this.#clock.now() });
  }

  /** What a lower speed is measured against: the speed, or what really went out, if that was less. */
  #base(): number {
    const allowed = this.#state?.perSecond ?? this.#ceiling;
    const measured = this.#flow.perSecond() ?? this.#measured;
    if (allowed === undefined) return measured ?? 1;
    return measured === undefined ? allowed : Math.min(allowed, measured * 1.25);
  }

  /** What the receiver seems to bear: what it accepted until now, if it accepted anything. */
  #bearable(before: number): number {
    const known = this.#state?.known;
    if (this.#count.isAll) return known ?? before;
    // What was borne before a try that failed is borne still; and what is borne for minutes says nothing of hours.
    const walled = (this.#state?.wallMs ?? 0) > 0;
    if (known !== undefined && (this.#isTry(before) || (walled && before > known)))
      return Math.max(known, this.#borne * CLOSE);
    const accepted = Math.max(this.#flow.acceptedPerSecond(), before * (1 - this.#count.share));
    const borne = Math.min(before, accepted) * BELOW;
    return walled ? Math.max(borne, known! * BELOW) : borne;
  }

  /**
   * What it accepted on average since the last time that a speed it seemed to bear met trouble: a receiver that
   * counts by the hour takes everything for minutes, and then nothing.
   */
  #cycle(before: number): { readonly cycle: number; readonly wallMs: number } {
    const state = this.#state;
    const none = { cycle: Infinity, wallMs: state?.wallMs ?? 0 };
    if (state && (this.#count.isAll || state.perSecond < state.known * 0.999)) return none;
    const [last, now] = [this.#episode, this.#clock.mono()];
    if (last && now - last.at < SHORTEST_CYCLE_MS) return none;
    this.#episode = { at: now, accepted: this.#accepted };
    if (!last || now - last.at > FORGOTTEN_MS) return none;
    const average = ((this.#accepted - last.accepted) / (now - last.at)) * 1000;
    if (average * LONG_WALL >= (state?.known ?? this.#bearable(before))) return none;
    const ms = Math.min(LONGEST_HOLD_MS, now - last.at);
    return { cycle: average * BELOW, wallMs: ms < WALL_MS ? none.wallMs : ms };
  }

  /** Trouble above the known speed: the limit is still there, so it is tried again later than last time. */
  #nextHold(before: number): number {
    const { holdMs } = this.#settings;
    const state = this.#state;
    if (state && this.#isTry(before)) return Math.min(LONGEST_HOLD_MS, state.holdMs * 2);
    return state && before <= state.known ? state.holdMs : holdMs;
  }

  /** A speed a little above the known one. */
  #isTry(speed: number): boolean {
    const known = this.#state?.known ?? Infinity;
    return speed > known * 1.001 && speed <= known * TRY_RANGE;
  }

  #floor(): number {
    const { floor, floorPercent } = this.#settings;
    if (floor) return (floor.count / floor.perMs) * 1000;
    const top = this.#ceiling ?? this.#state?.known ?? this.#flow.perSecond() ?? 1;
    return Math.min(SLOW_ENOUGH, (top * floorPercent) / 100);
  }

  /** A step upwards, if the time since the last one was without trouble and had replies enough to say so. */
  #step(): void {
    const state = this.#state!;
    const below = state.perSecond < state.known * 0.999;
    if (this.#clock.mono() - this.#stepAt < this.#period(state, below)) return;
    if (this.#count.stepReplies < (below ? 1 : JUDGED)) return;
    const { threshold } = this.#settings;
    if (below) {
      this.#count.learn(threshold);
      if (this.#count.stepShare <= threshold) this.#rise(state);
      else this.#restep();
      return;
    }
    const judged = this.#count.judgeStep(threshold);
    if (judged === 'trouble') this.#trim(state);
    if (judged !== 'clear') return;
    this.#count.learnLess(threshold);
    this.#tryMore(state);
  }

  /** How long a speed must be borne before the next one. */
  #period({ perSecond, known, holdMs, wallMs }: SpeedState, below: boolean): number {
    if (below) return this.#settings.stepMs;
    return perSecond > known * 1.001 ? Math.max(this.#settings.holdMs, wallMs / WALL_STEPS) : holdMs;
  }

  #increment({ known }: SpeedState): number {
    return (known * this.#settings.increase) / 100;
  }

  /** What was before is over, a block for one: it says nothing of the speeds that come. */
  #rise(state: SpeedState): void {
    this.#count.forget();
    this.#raise(Math.min(state.known, state.perSecond + this.#increment(state)));
  }

  #tryMore(state: SpeedState): void {
    this.#count.forget();
    this.#untrimmed = undefined;
    if (state.perSecond > state.known * 1.001) this.#borne = state.perSecond;
    const to = state.perSecond * (1 + this.#try);
    this.#try = Math.min(LONGEST_TRY, this.#try * 2);
    this.#raise(to);
  }

  /**
   * A little more trouble than usual, less than what is acted on: the speed is just above the limit. Where going slower
   * does not help, the trouble has other reasons, and from then on it is usual.
   */
  #trim({ perSecond, known }: SpeedState): void {
    this.#untrimmed ??= perSecond;
    const least = this.#untrimmed * TRIMMED;
    if (perSecond <= least) {
      this.#count.takeForUsual(this.#settings.threshold);
      this.#restep();
      return;
    }
    const aTry = perSecond > known * 1.001;
    const to = Math.max(aTry ? known : least, perSecond * (1 - this.#count.stepMore / 100) * TRIM);
    const more = aTry ? { failed: perSecond, holdMs: this.#nextHold(perSecond) } : {};
    this.#try = FIRST_TRY;
    this.#borne = 0;
    this.#change(to, 'a little trouble at the known speed', { known: to, ...more });
  }

  #raise(to: number): void {
    const top = this.#ceiling ?? Infinity;
    const idle = this.#flow.perSecond() ?? 0;
    // Without a rate of its own the strategy is reached when the limit is far above what is sent.
    const free = to >= top || (top === Infinity && to > 4 * Math.max(idle, this.#state!.known));
    if (free) this.#change(undefined, 'no trouble up to the speed of the strategy');
    else this.#change(to, 'no trouble');
  }

  #change(to: number | undefined, reason: string, more: Partial<SpeedState> = {}): void {
    const from = this.#state?.perSecond;
    const at = this.#clock.now();
    const blank = { known: 0, holdMs: 0, wallMs: 0, failed: 0, cutAt: at, cutReason: reason };
    const kept = { ...blank, ...this.#state, ...more };
    if (more.cutAt !== undefined) kept.cutReason = reason;
    this.#state = to === undefined ? undefined : { ...kept, perSecond: to, changedAt: at, reason };
    if (to === undefined || more.cutAt !== undefined) this.#count.forget();
    this.#restep();
    const notable = to === undefined || to < this.#announced || to > this.#announced * NOTABLE;
    if (notable) this.#announced = to ?? Infinity;
    if (to !== from) this.#onChange({ from, to, reason, notable });
  }

  #restep(): void {
    this.#stepAt = this.#clock.mono();
    this.#count.newStep();
  }

  /** What was slowed before a restart stays so, unless that was so long ago that nobody knows. */
  #restore(state: SpeedState): void {
    const since = this.#clock.now() - state.changedAt;
    const over = this.#ceiling !== undefined && state.perSecond >= this.#ceiling;
    if (since < FORGOTTEN_MS && !over) this.#state = state;
  }
}
