/**
 * A (node, ISP): where speed is counted. It owns the limiter, the number of sessions and the destinations (sets of
 * hosts) of this ISP. Nothing else counts against the strategy, so its limits are exact.
 */
import type { StrategyConfig } from '../../config/index.ts';
import type { Clock } from '../../core/index.ts';
import { Limiter, type LimiterMark } from './limiter.ts';
import type { LaneStatus } from './status.ts';

/** A delivery is handed to a session only when its token comes within this time. */
const TOKEN_HORIZON_MS = 1_000;
const LONGEST_TIMER_MS = 60_000;

export interface LaneOptions {
  readonly key: string;
  /** Name of the ISP; undefined for a domain of none. */
  readonly isp: string | undefined;
  readonly strategy: StrategyConfig;
  readonly timezone: string;
  readonly clock: Clock;
  readonly mark: LimiterMark | undefined;
  /** A token comes soon: deliveries may be handed out again. */
  readonly onToken: () => void;
}

export class Lane {
  readonly key: string;
  readonly isp: string;
  readonly limiter: Limiter;
  sessions = 0;
  /** Deliveries that lease requests under way may bring. */
  leasing = 0;
  /** Deliveries in memory or on the wire. */
  inFlight = 0;
  lastError: LaneStatus['lastError'];
  readonly #onToken: () => void;
  #strategy: StrategyConfig;
  /** Handed out, token not spent yet. */
  #promised = 0;
  #line: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: LaneOptions) {
    this.key = options.key;
    this.isp = options.isp ?? 'other';
    this.#onToken = options.onToken;
    this.#strategy = options.strategy;
    this.limiter = new Limiter(options.clock, limits(options.strategy, options.timezone), options.mark);
  }

  get strategy(): StrategyConfig {
    return this.#strategy;
  }

  configure(strategy: StrategyConfig, timezone: string): void {
    this.#strategy = strategy;
    this.limiter.configure(limits(strategy, timezone));
  }

  /** How many deliveries are worth having in memory. */
  get capacity(): number {
    const bySessions = this.#strategy.concurrentConnections * 2;
    if (this.limiter.unlimited) return bySessions;
    return Math.min(bySessions, Math.max(1, this.limiter.within(TOKEN_HORIZON_MS, bySessions)));
  }

  /** Whether another delivery may be handed to a session. Otherwise the lane looks again when a token comes. */
  mayHandOut(): boolean {
    if (this.limiter.unlimited) return true;
    const wait = this.limiter.waitMs(this.#promised + 1);
    if (wait <= TOKEN_HORIZON_MS) return true;
    this.#lookAgain(wait - TOKEN_HORIZON_MS);
    return false;
  }

  /** A delivery was handed out: its token must be spent or given back. */
  promise(): void {
    this.#promised++;
  }

  /** The delivery was not sent after all. */
  forgo(): void {
    this.#promised--;
  }

  /** Waits for the token of a handed-out delivery, first come first served, and spends it. */
  spend(signal: AbortSignal): Promise<void> | undefined {
    if (this.limiter.unlimited) {
      this.#promised--;
      return undefined;
    }
    const turn = this.#line.then(() => this.#spendInTurn(signal));
    this.#line = turn.catch(() => undefined);
    return turn;
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** Why no token comes soon, in words; undefined when one does. */
  waiting(): string | undefined {
    const wait = this.limiter.waitMs();
    return wait > TOKEN_HORIZON_MS
      ? `strategy ${this.#strategy.name}: next message in ${Math.ceil(wait / 1000)} s`
      : undefined;
  }

  async #spendInTurn(signal: AbortSignal): Promise<void> {
    try {
      for (;;) {
        signal.throwIfAborted();
        const wait = this.limiter.waitMs();
        if (wait <= 0) break;
        await sleep(Math.min(wait, LONGEST_TIMER_MS), signal);
      }
      this.limiter.take();
    } finally {
      this.#promised--;
    }
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
}

const limits = (strategy: StrategyConfig, timezone: string) => ({
  rate: strategy.ratePerInterval,
  burst: strategy.burst,
  dailyLimit: strategy.dailyLimit,
  timezone,
});

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener('abort', end);
  });
}
