/**
 * The tokens of a lane's deliveries, first come first served: promised when a delivery is handed to a session, spent
 * immediately before RCPT, or given back.
 */
import type { Clock } from '../../core/index.ts';
import { sleep } from './sleep.ts';

const LONGEST_TIMER_MS = 60_000;

/** What a token must pass. */
export interface TokenSource {
  /** ms until the next token may be spent; 0 means at once. */
  waitMs(): number;
  /** Spends a token that has been waited for since `since` (mono ms). */
  take(since?: number): void;
}

/** A limit beside that of the lane, spent together with its token. */
export interface Cap {
  readonly limiter: TokenSource;
}

/** Those that a delivery must pass, as they are when they are asked. */
export type CapsNow = () => readonly Cap[];

/** A cap that is used up for longer would hold up all that wait behind in the lane: the delivery goes back. */
export const CAP_WAIT_MS = 1_000;
/** Mail is leased when the token of its cap comes so soon: then it waits for it in the lane. */
export const SOON_MS = 20;

export class CapUsedUp extends Error {}

interface Turn {
  readonly signal: AbortSignal;
  readonly since: number;
  readonly caps: CapsNow;
  readonly count: number;
}

export class TokenLine {
  readonly #clock: Clock;
  readonly #source: TokenSource;
  /** Handed out, token not spent yet. */
  #promised = 0;
  #line: Promise<void> = Promise.resolve();

  constructor(clock: Clock, source: TokenSource) {
    this.#clock = clock;
    this.#source = source;
  }

  get promised(): number {
    return this.#promised;
  }

  promise(): void {
    this.#promised++;
  }

  forgo(count = 1): void {
    this.#promised -= count;
  }

  /**
   * Waits for a token and spends it, and as many more of `count` as can be spent at the same moment; says how many it
   * were. All `count` promises end with it. Rejects with CapUsedUp.
   */
  spend(signal: AbortSignal, caps: CapsNow, count = 1): Promise<number> {
    const since = this.#clock.mono();
    const turn = this.#line.then(() => this.#spendInTurn({ signal, since, caps, count }));
    this.#line = turn.then(
      () => undefined,
      () => undefined,
    );
    return turn;
  }

  async #spendInTurn({ signal, since, caps, count }: Turn): Promise<number> {
    try {
      let now: readonly Cap[];
      for (;;) {
        signal.throwIfAborted();
        now = caps();
        if (now.some(({ limiter }) => limiter.waitMs() > CAP_WAIT_MS))
          throw new CapUsedUp('a cap is used up');
        const wait = this.#waitMs(now);
        if (wait <= 0) break;
        await sleep(Math.min(wait, LONGEST_TIMER_MS), signal);
      }
      let spent = 0;
      do this.#take(now, spent++ === 0 ? since : undefined);
      while (spent < count && this.#waitMs(now) <= 0);
      return spent;
    } finally {
      this.#promised -= count;
    }
  }

  #waitMs(caps: readonly Cap[]): number {
    let wait = this.#source.waitMs();
    for (const { limiter } of caps) wait = Math.max(wait, limiter.waitMs());
    return wait;
  }

  #take(caps: readonly Cap[], since: number | undefined): void {
    this.#source.take(since);
    for (const { limiter } of caps) limiter.take(since);
  }
}
