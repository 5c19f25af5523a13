/**
 * A (node, ISP): where speed is counted. It owns the limiter, the number of sessions and the destinations (sets of
 * hosts) of this ISP. Nothing else counts against the strategy, so its limits are exact.
 *
 * What slows it stands in a row of gates: the strategy, the pace (`pace.ts`) that holds while the receiver minds the
 * strategy's, the warm-up of the address. A lane without a gate costs nothing. Limits that lanes share stand beside them.
 */
import type { StrategyConfig, WarmupPlanConfig } from '../../config/index.ts';
import type { Bounce, BounceCategory, Clock } from '../../core/index.ts';
import { NO_CAPS, type SharedCap } from './caps.ts';
import { LanePlaces } from './lane-places.ts';
import { Limiter, type LimiterMark } from './limiter.ts';
import { type Lock, mayProbe } from './lock.ts';
import { Pace } from './pace.ts';
import type { SpeedChange, SpeedState } from './speed-control.ts';
import type { LaneStatus } from './status.ts';
import { type CapsNow, TokenLine } from './token-line.ts';
import { nextMessageIn } from './wait-text.ts';
import { Warmup, type WarmupMark } from './warmup.ts';

/** A delivery is handed to a session only when its token comes within this time. */
const TOKEN_HORIZON_MS = 1_000;
const LONGEST_TIMER_MS = 60_000;
/** Mail above the cap of a warm-up moves when it would wait longer than this, in slices. */
const OVERFLOW_AFTER_MS = 60_000;
const OVERFLOW_AGAIN_MS = 60_000;
const OVERFLOW_SLICE = 100;

/** What a lane keeps over a restart. */
export interface LaneMark extends LimiterMark {
  readonly slowed?: SpeedState | undefined;
  readonly warmup?: WarmupMark | undefined;
}

/** Something a token must pass; see Limiter. */
interface Gate {
  waitMs(n?: number): number;
  take(since?: number): void;
  within(ms: number, max: number): number;
}

export interface LaneOptions {
  readonly key: string;
  /** Name of the ISP; undefined for a domain of none. */
  readonly isp: string | undefined;
  readonly strategy: StrategyConfig;
  readonly timezone: string;
  readonly clock: Clock;
  readonly mark: LaneMark | undefined;
  /** A token comes soon: deliveries may be handed out again. */
  readonly onToken: () => void;
  /** The speed was lowered or raised. */
  readonly onSpeed?: (change: SpeedChange) => void;
  /** The plan of the node's address, if it has one. */
  readonly warmup?: WarmupPlanConfig | null;
  readonly onWarmup?: (reason: string) => void;
}

export class Lane {
  readonly key: string;
  readonly isp: string;
  readonly limiter: Limiter;
  readonly places = new LanePlaces();
  /** What stops this lane, or lets one delivery go first; nearly always nothing. */
  locks: readonly Lock[] = [];
  /** Deliveries that lease requests under way may bring. */
  leasing = 0;
  /** Deliveries in memory or on the wire. */
  inFlight = 0;
  lastError: LaneStatus['lastError'];
  /** Limits that other lanes spend from, too. */
  caps = NO_CAPS;
  readonly #clock: Clock;
  readonly #onToken: () => void;
  readonly #onSpeed: LaneOptions['onSpeed'];
  readonly #onWarmup: LaneOptions['onWarmup'];
  readonly #pace: Pace;
  readonly #tokens: TokenLine;
  #strategy: StrategyConfig;
  /** Everything a token must pass; empty: no limit. */
  #gates: readonly Gate[] = [];
  #warmup: Warmup | undefined;
  /** Of a lane whose plan has gone; kept in case it comes back. */
  #warmupMark: WarmupMark | undefined;
  #noOverflowUntil = -Infinity;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: LaneOptions) {
    const { clock, mark, strategy } = options;
    this.key = options.key;
    this.isp = options.isp ?? 'other';
    this.#clock = clock;
    this.#onToken = options.onToken;
    this.#onSpeed = options.onSpeed;
    this.#onWarmup = options.onWarmup;
    this.#strategy = strategy;
    this.limiter = new Limiter(clock, limits(strategy, options.timezone), mark);
    this.#pace = new Pace({
      clock,
      strategy,
      state: mark?.slowed,
      onChange: (change) => this.#speedChanged(change),
    });
    this.#tokens = new TokenLine(clock, this);
    this.#warmupMark = mark?.warmup;
    this.#warmUp(options.warmup ?? null, options.timezone);
    this.#setGates();
  }

  /** Sessions that are open or being opened. */
  get sessions(): number {
    return this.places.open;
  }

  get strategy(): StrategyConfig {
    return this.#strategy;
  }

  /** True when nothing limits the speed: no token is needed. */
  get unlimited(): boolean {
    return this.#gates.length === 0;
  }

  /** The lowered speed and why, if it is lowered. */
  get slowed(): SpeedState | undefined {
    return this.#pace.state;
  }

  /** The warm-up, while it lasts. */
  get warmup(): Warmup | undefined {
    return this.#warmup;
  }

  configure(strategy: StrategyConfig, timezone: string, warmup: WarmupPlanConfig | null = null): void {
    this.#strategy = strategy;
    this.#warmUp(warmup, timezone);
    this.limiter.configure(limits(strategy, timezone));
    this.#pace.configure(strategy);
    this.#setGates();
    // A timer for the old speed would come too late.
    this.stop();
    this.#tokens.look();
  }

  /** Sessions that may be open at once. */
  get maxSessions(): number {
    return this.#pace.maxSessions;
  }

  /** Nothing may go out. */
  get locked(): boolean {
    return this.locks.length > 0 && this.locks.some((lock) => lock.locked(this.#clock.now()));
  }

  /** How many deliveries are worth having in memory. */
  get capacity(): number {
    if (this.locks.length > 0) return mayProbe(this.locks, this.#clock.now()) ? 1 : 0;
    const bySessions = this.#strategy.concurrentConnections * 2;
    if (this.unlimited) return bySessions;
    if (this.overflows) return OVERFLOW_SLICE;
    const within = this.#gates.reduce((n, gate) => gate.within(TOKEN_HORIZON_MS, n), bySessions);
    return Math.min(bySessions, Math.max(1, within));
  }

  /** The warm-up has no room for today (or is paused), and the plan says that mail moves. */
  get overflows(): boolean {
    const warmup = this.#warmup;
    if (!warmup || warmup.done || warmup.plan.overflow !== 'move') return false;
    if (this.#clock.mono() < this.#noOverflowUntil) return false;
    return warmup.waitMs(this.#tokens.promised + 1) > OVERFLOW_AFTER_MS;
  }

  /** No other node had room: its mail waits here for a while. */
  noOverflow(): void {
    this.#noOverflowUntil = this.#clock.mono() + OVERFLOW_AGAIN_MS;
  }

  /** ms until the n-th token from now may be spent; 0 means at once. */
  waitMs(n = 1): number {
    let wait = 0;
    for (const gate of this.#gates) wait = Math.max(wait, gate.waitMs(n));
    return wait;
  }

  /** Spends a token that has been waited for since `since` (mono ms). The caller has seen `waitMs() === 0`. */
  take(since?: number): void {
    for (const gate of this.#gates) gate.take(since);
  }

  /** What to store before `n` tokens are spent: as many as deliveries are in memory, or asked for. */
  mark(n = this.inFlight + this.leasing): LaneMark {
    const { slowed } = this;
    const warmup = this.#warmup?.mark(n) ?? this.#warmupMark;
    return { ...this.limiter.mark(n), ...(slowed && { slowed }), ...(warmup && { warmup }) };
  }

  // What receivers said.

  accepted(): void {
    this.#pace.accepted();
    this.#warmup?.accepted();
  }

  /** A refusal by the receiver, in its words. */
  refused({ category, class: bounceClass }: Bounce, text: string): void {
    this.#warmup?.refused(bounceClass, text);
    this.#pace.refused(category, text, this.sessions);
  }

  /** Lowers the speed because a rule says so; it recovers as that of an adaptive strategy. */
  slowDown(percent: number, reason: string, category?: BounceCategory): boolean {
    return this.#pace.slowDown(percent, reason, category);
  }

  /** A warm-up that is paused goes on. */
  resumeWarmup(): void {
    if (!this.#warmup?.resume()) return;
    // A timer for the end of the pause would come too late.
    this.stop();
    this.#tokens.look();
    this.#onToken();
  }

  /** Gives the strategy's speed back at once. */
  fullSpeed(reason: string): void {
    this.#pace.fullSpeed(reason);
  }

  /** Once a minute: what goes out meanwhile is the speed of a lane that has no other measure. */
  look(): void {
    this.#pace.look();
  }

  /** Whether another delivery may be handed to a session. Otherwise the lane looks again when a token comes. */
  mayHandOut(): boolean {
    if (this.locks.length > 0 && !mayProbe(this.locks, this.#clock.now())) return false;
    if (this.unlimited) return true;
    const wait = this.waitMs(this.#tokens.promised + 1);
    if (wait <= TOKEN_HORIZON_MS) return true;
    this.#lookAgain(wait - TOKEN_HORIZON_MS);
    return false;
  }

  /** A delivery was handed out: its token must be spent or given back. */
  promise(): void {
    this.#tokens.promise();
  }

  /** So many deliveries were not sent after all. */
  forgo(count = 1): void {
    this.#tokens.forgo(count);
  }

  /** How many of `most` deliveries could have their token at the same moment as the one that is handed out now. */
  together(most: number): number {
    if (this.locks.length > 0) return 1;
    if (this.unlimited) return most;
    const { promised } = this.#tokens;
    let count = 1;
    while (count < most && this.waitMs(promised + count) === 0) count++;
    return count;
  }

  /**
   * Waits for the token of a handed-out delivery, first come first served, and spends it. Of `count` deliveries that go
   * together it spends as many tokens as there are then, and says how many; undefined: all, at once. `caps`: what they
   * must pass beside the gates.
   */
  spend(signal: AbortSignal, caps: CapsNow = noCaps, count = 1): Promise<number> | undefined {
    if (!this.unlimited || caps().length > 0) return this.#tokens.spend(signal, caps, count);
    this.#tokens.forgo(count);
    return undefined;
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** Why no token comes soon (for mail of this sender), in words; undefined when one does. */
  waiting(sender?: string): string | undefined {
    if (this.locks.length > 0) return this.locks.map((lock) => lock.text(this.#clock.now())).join('; ');
    const caps = this.capsOf(sender).map(({ name, limiter }) => ({ name, ms: limiter.waitMs() }));
    const wait = this.waitMs();
    const longest = caps.reduce((one, other) => (other.ms > one.ms ? other : one), { name: '', ms: 0 });
    if (Math.max(wait, longest.ms) <= TOKEN_HORIZON_MS) return undefined;
    return longest.ms >= wait ? nextIn(`cap ${longest.name}`, longest.ms) : nextIn(this.#whoLimits(), wait);
  }

  /** Each one's wait is read before that of the lane: time goes on, and the longest must not seem shorter than itself. */
  #whoLimits(): string {
    const warmup = this.#warmup;
    const ofWarmup = warmup?.waitMs() ?? -1;
    const ofPace = this.#pace.limiter?.waitMs() ?? -1;
    const wait = this.waitMs();
    if (warmup && ofWarmup >= wait) {
      const { stage, pausedUntil, reason } = warmup.state;
      if (pausedUntil > 0) return reason;
      return `warm-up ${warmup.plan.name}, stage ${stage + 1}: ${warmup.dailyCap} a day`;
    }
    const slowed = ofPace >= wait ? this.slowed : undefined;
    return slowed ? `slowed down (${slowed.cutReason})` : `strategy ${this.#strategy.name}`;
  }

  /** A cap that all that is due here waits for, in words; undefined when something else goes, or nothing waits. */
  capped(): string | undefined {
    if (this.inFlight + this.leasing > 0) return undefined;
    const waits = [...this.caps.bySender].flatMap(([sender, caps]) =>
      caps
        .filter(({ parking }) => parking.size > 0)
        .map(({ name, limiter }) => ({ who: `cap ${name} of sender ${sender}`, ms: limiter.waitMs() })),
    );
    const [soonest] = waits.sort((a, b) => a.ms - b.ms);
    return soonest && soonest.ms > TOKEN_HORIZON_MS ? nextIn(soonest.who, soonest.ms) : undefined;
  }

  /** Caps that deliveries of a sender must pass beside the gates; without one: those for all. */
  capsOf(sender: string | undefined): readonly SharedCap[] {
    const { all, bySender } = this.caps;
    return (sender === undefined ? undefined : bySender.get(sender)) ?? all;
  }

  #lookAgain(ms: number): void {
    this.#timer ??= setTimeout(
      () => {
        this.#timer = undefined;
        this.#onToken();
      },
      Math.min(ms, LONGEST_TIMER_MS),
    );
  }

  #speedChanged(change: SpeedChange): void {
    this.#setGates();
    const raised = (change.to ?? Infinity) > (change.from ?? Infinity);
    // A timer for the old speed would come too late or too early; without one who waits must ask again, or waits for ever.
    const asked = this.#timer !== undefined;
    this.stop();
    this.#tokens.look();
    if (raised || asked) this.#onToken();
    this.#onSpeed?.(change);
  }

  #setGates(): void {
    const gates: Gate[] = this.limiter.unlimited ? [] : [this.limiter];
    if (this.#pace.limiter) gates.push(this.#pace.limiter);
    if (this.#warmup && !this.#warmup.done) gates.push(this.#warmup);
    this.#gates = gates;
  }

  #warmUp(plan: WarmupPlanConfig | null, timezone: string): void {
    if (!plan) {
      this.#warmupMark = this.#warmup?.mark(0) ?? this.#warmupMark;
      this.#warmup = undefined;
      return;
    }
    if (this.#warmup) {
      this.#warmup.configure(plan, timezone);
      return;
    }
    const { isp } = this;
    const onChange = (reason: string): void => this.#warmupChanged(reason);
    this.#warmup = new Warmup({ clock: this.#clock, plan, isp, timezone, mark: this.#warmupMark, onChange });
  }

  #warmupChanged(reason: string): void {
    this.#setGates();
    this.#onWarmup?.(reason);
  }
}

const noCaps: CapsNow = () => [];

const nextIn = (who: string, ms: number): string => `${who}: ${nextMessageIn(ms)}`;

const limits = (strategy: StrategyConfig, timezone: string) => ({
  rate: strategy.ratePerInterval,
  burst: strategy.burst,
  dailyLimit: strategy.dailyLimit,
  timezone,
});
