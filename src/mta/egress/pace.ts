/**
 * How far a lane stays below its strategy because of what the receiver says: the speed (`speed-control.ts`) with its
 * limiter, and the number of sessions (`session-limit.ts`). It exists for every lane and costs nothing at full speed.
 */
import type { StrategyConfig } from '../../config/index.ts';
import type { BounceCategory, Clock } from '../../core/index.ts';
import { Limiter } from './limiter.ts';
import { SessionLimit } from './session-limit.ts';
import { paceOf, type SpeedChange, SpeedControl, type SpeedState } from './speed-control.ts';

export interface PaceOptions {
  readonly clock: Clock;
  readonly strategy: StrategyConfig;
  /** As it was stored. */
  readonly state: SpeedState | undefined;
  /** The speed was lowered or raised. */
  readonly onChange: (change: SpeedChange) => void;
}

export class Pace {
  readonly #clock: Clock;
  readonly #onChange: PaceOptions['onChange'];
  readonly #sessionLimit: SessionLimit;
  #strategy: StrategyConfig;
  #control: SpeedControl | undefined;
  #limiter: Limiter | undefined;
  /** Replies so far and at the last look, for the speed of a lane that nobody watches. */
  #replies = 0;
  #looked: { replies: number; at: number };

  constructor({ clock, strategy, state, onChange }: PaceOptions) {
    this.#clock = clock;
    this.#strategy = strategy;
    this.#onChange = onChange;
    this.#sessionLimit = new SessionLimit(clock);
    this.#looked = { replies: 0, at: clock.mono() };
    if (strategy.adaptive.enabled || state) this.#control = this.#newControl(state);
    this.#refresh();
  }

  /** The lowered speed and why, if it is lowered. */
  get state(): SpeedState | undefined {
    return this.#control?.state;
  }

  /** The limiter of the lowered speed. */
  get limiter(): Limiter | undefined {
    return this.#limiter;
  }

  /** Sessions that may be open at once. */
  get maxSessions(): number {
    return this.#sessionLimit.current(this.#strategy.concurrentConnections);
  }

  configure(strategy: StrategyConfig): void {
    this.#strategy = strategy;
    if (this.#control) this.#control.configure(strategy.adaptive, perSecond(strategy));
    else if (strategy.adaptive.enabled) this.#control = this.#newControl(undefined);
    if (!strategy.adaptive.enabled && !this.#control?.state) this.#control = undefined;
    this.#refresh();
  }

  accepted(): void {
    this.#replies++;
    this.#control?.accepted();
  }

  /** A refusal by the receiver, in its words, while so many sessions were open. */
  refused(category: BounceCategory, text: string, sessions: number): void {
    this.#replies++;
    const control = this.#control;
    if (!control) return;
    const { adaptive } = this.#strategy;
    const minded = control.minds(category);
    if (category === 'connection_limit' && minded && adaptive.enabled) {
      this.#sessionLimit.refused(sessions - 1, adaptive.holdMs);
      control.accepted();
    } else if (minded && adaptive.enabled) control.refused(category, text);
    else control.accepted();
  }

  /** Lowers the speed because a rule says so; it recovers as that of an adaptive strategy. */
  slowDown(percent: number, reason: string, category?: BounceCategory): boolean {
    // Where the share of such replies steers the speed, a rule for each single one would only add to it.
    if (category && this.#strategy.adaptive.enabled && this.#control?.minds(category)) return false;
    this.#control ??= this.#newControl(undefined);
    return this.#control.slowDown(percent, reason);
  }

  /** Gives the strategy's speed back at once. */
  fullSpeed(reason: string): void {
    this.#control?.reset(reason);
  }

  /** Once a minute: what goes out meanwhile is the speed of a lane that has no other measure. */
  look(): void {
    this.#looked = { replies: this.#replies, at: this.#clock.mono() };
    this.#control?.forget();
  }

  #newControl(state: SpeedState | undefined): SpeedControl {
    const { replies, at } = this.#looked;
    const ms = this.#clock.mono() - at;
    return new SpeedControl({
      clock: this.#clock,
      settings: this.#strategy.adaptive,
      ceiling: perSecond(this.#strategy),
      measured: ms > 0 && this.#replies > replies ? ((this.#replies - replies) / ms) * 1000 : undefined,
      state,
      onChange: (change) => this.#changed(change),
    });
  }

  #changed(change: SpeedChange): void {
    if (change.to === undefined && !this.#strategy.adaptive.enabled) this.#control = undefined;
    this.#refresh();
    this.#onChange(change);
  }

  #refresh(): void {
    const speed = this.#control?.perSecond;
    if (speed === undefined) this.#limiter = undefined;
    else if (this.#limiter) this.#limiter.configure(paceOf(speed));
    else this.#limiter = new Limiter(this.#clock, paceOf(speed));
  }
}

const perSecond = ({ ratePerInterval: rate }: StrategyConfig): number | undefined =>
  rate ? (rate.count / rate.perMs) * 1000 : undefined;
