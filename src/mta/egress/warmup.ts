/**
 * The warm-up of a (node, ISP): how much a new address may send a day. Each stage is a cap on the recipients of a
 * calendar day; the next stage begins with the day after one on which enough was delivered, so a day of rest is not
 * counted. Too many hard bounces or blocks pause it, and it goes on a stage lower.
 *
 * It is a gate of the lane: the cap is counted by a limiter of its own, exact over restarts.
 */
import type { WarmupPlanConfig } from '../../config/index.ts';
import { type BounceClass, type Clock, dayAt } from '../../core/index.ts';
import { Limiter, type LimiterMark, type LimiterOptions } from './limiter.ts';

export interface WarmupState {
  /** From 0; the number of stages when the plan is done. */
  readonly stage: number;
  /** The last day on which something was sent, with what came of it. */
  readonly day: string;
  readonly delivered: number;
  readonly hard: number;
  readonly blocked: number;
  /** Wall ms; 0: not paused. */
  readonly pausedUntil: number;
  readonly reason: string;
}

export interface WarmupMark extends WarmupState {
  readonly cap: LimiterMark;
}

export interface WarmupOptions {
  readonly clock: Clock;
  readonly plan: WarmupPlanConfig;
  readonly isp: string;
  readonly timezone: string;
  readonly mark: WarmupMark | undefined;
  /** The stage has changed, or the warm-up was paused. */
  readonly onChange: (reason: string) => void;
}

const NEW: WarmupState = { stage: 0, day: '', delivered: 0, hard: 0, blocked: 0, pausedUntil: 0, reason: '' };

export class Warmup {
  readonly #clock: Clock;
  readonly #onChange: (reason: string) => void;
  readonly #isp: string;
  readonly #limiter: Limiter;
  #plan: WarmupPlanConfig;
  #timezone: string;
  #state: WarmupState;
  #today: { readonly name: string; readonly from: number; readonly endsAt: number };

  constructor({ clock, plan, isp, timezone, mark, onChange }: WarmupOptions) {
    this.#clock = clock;
    this.#onChange = onChange;
    this.#isp = isp;
    this.#plan = plan;
    this.#timezone = timezone;
    const { cap, ...state } = mark ?? { ...NEW, cap: undefined };
    this.#state = state;
    this.#today = { ...this.#day(), endsAt: -Infinity };
    this.#limiter = new Limiter(clock, this.#cap(), cap);
  }

  get state(): WarmupState {
    this.#turn();
    return this.#state;
  }

  get plan(): WarmupPlanConfig {
    return this.#plan;
  }

  get stages(): readonly number[] {
    return this.#plan.byIsp[this.#isp] ?? this.#plan.stages;
  }

  /** Recipients of today; undefined: the plan is done. */
  get dailyCap(): number | undefined {
    return this.stages[this.#state.stage];
  }

  /** Nothing limits any more. */
  get done(): boolean {
    return this.#state.stage >= this.stages.length;
  }

  /** For people; undefined when the plan is done. */
  get status(): (WarmupState & { plan: string; stages: number; dailyCap: number }) | undefined {
    const { state, stages, dailyCap } = this;
    return dailyCap === undefined
      ? undefined
      : { plan: this.#plan.name, stages: stages.length, dailyCap, ...state };
  }

  configure(plan: WarmupPlanConfig, timezone: string): void {
    // A day that has ended counts by the plan that it was sent by.
    this.#turn();
    this.#plan = plan;
    this.#timezone = timezone;
    this.#today = { ...this.#day(), endsAt: -Infinity };
    this.#limiter.configure(this.#cap());
  }

  // A gate: see Limiter.

  waitMs(n = 1): number {
    this.#turn();
    const pause = this.#state.pausedUntil === 0 ? 0 : this.#state.pausedUntil - this.#clock.now();
    return Math.max(pause, this.#limiter.waitMs(n));
  }

  take(): void {
    this.#limiter.take();
  }

  within(ms: number, max: number): number {
    return this.waitMs() > ms ? 0 : this.#limiter.within(ms, max);
  }

  mark(n: number): WarmupMark {
    return { ...this.#state, cap: this.#limiter.mark(n) };
  }

  // What receivers said.

  accepted(): void {
    const state = this.#ofToday();
    this.#state = { ...state, delivered: state.delivered + 1 };
  }

  refused(bounceClass: BounceClass, text: string): void {
    if (bounceClass !== 'hard' && bounceClass !== 'block') return;
    const state = this.#ofToday();
    const { hard, blocked } = state;
    const more = bounceClass === 'hard' ? { hard: hard + 1 } : { blocked: blocked + 1 };
    this.#state = { ...state, ...more };
    this.#judge(text);
  }

  /** Goes on at once, by hand; false when it was not paused. */
  resume(): boolean {
    if (this.#state.pausedUntil === 0) return false;
    this.#goOn('warm-up resumed by hand');
    return true;
  }

  #judge(text: string): void {
    const { delivered, hard, blocked, pausedUntil, stage } = this.#state;
    const all = delivered + hard + blocked;
    if (pausedUntil > 0 || all < this.#plan.minAttempts) return;
    const [hardShare, blockShare] = [(hard / all) * 100, (blocked / all) * 100];
    const bad = hardShare > this.#plan.maxHardBounces;
    if (!bad && blockShare <= this.#plan.maxBlocks) return;
    const what = bad ? `${hardShare.toFixed(1)} % hard bounces` : `${blockShare.toFixed(1)} % blocks`;
    const reason = `warm-up paused: ${what} of ${all}, the last one: ${text}`;
    const until = this.#clock.now() + this.#plan.pauseMs;
    this.#state = { ...this.#state, stage: Math.max(0, stage - 1), pausedUntil: until, reason };
    this.#limiter.configure(this.#cap());
    this.#onChange(reason);
  }

  /** The counts of today; those of an earlier day begin anew. */
  #ofToday(): WarmupState {
    this.#turn();
    const { name } = this.#today;
    if (this.#state.day === name) return this.#state;
    return { ...this.#state, day: name, delivered: 0, hard: 0, blocked: 0 };
  }

  /** A pause or a day is over. */
  #turn(): void {
    const now = this.#clock.now();
    const { pausedUntil } = this.#state;
    if (pausedUntil > 0 && now >= pausedUntil) this.#goOn('warm-up goes on after a pause');
    if (now >= this.#today.from && now < this.#today.endsAt) return;
    this.#today = this.#day();
    this.#closeDay();
  }

  /** What was sent on an earlier day decides whether the plan goes on. */
  #closeDay(): void {
    const { day, delivered, pausedUntil } = this.#state;
    const { name } = this.#today;
    const cap = this.dailyCap;
    if (day === '' || day >= name || cap === undefined || pausedUntil > 0) return;
    const counts = { day: name, delivered: 0, hard: 0, blocked: 0 };
    if (delivered >= Math.max(1, (cap * this.#plan.advanceAt) / 100)) this.#advance(counts);
    else this.#state = { ...this.#state, ...counts };
  }

  #advance(counts: Pick<WarmupState, 'day' | 'delivered' | 'hard' | 'blocked'>): void {
    const stage = this.#state.stage + 1;
    const next = this.stages[stage];
    const reason =
      next === undefined
        ? 'warm-up done'
        : `warm-up stage ${stage + 1} of ${this.stages.length}: ${next} a day`;
    this.#state = { ...this.#state, ...counts, stage, reason };
    this.#limiter.configure(this.#cap());
    this.#onChange(reason);
  }

  #goOn(reason: string): void {
    const counts = { day: this.#day().name, delivered: 0, hard: 0, blocked: 0 };
    this.#state = { ...this.#state, ...counts, pausedUntil: 0, reason };
    this.#onChange(reason);
  }

  #cap(): LimiterOptions {
    return { rate: null, burst: 1, dailyLimit: this.dailyCap ?? null, timezone: this.#timezone };
  }

  #day(): { name: string; from: number; endsAt: number } {
    const from = this.#clock.now();
    return { ...dayAt(from, this.#timezone), from };
  }
}
