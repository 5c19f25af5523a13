/**
 * The tokens of a lane's deliveries, first come first served: promised when a delivery is handed to a session, spent
 * immediately before RCPT, or given back.
 */
import type { Clock } from '../../core/index.ts';
import type { SharedCap } from './caps.ts';
import { sleep } from './sleep.ts';

const LONGEST_TIMER_MS = 60_000;

/** What a token must pass. */
export interface TokenSource {
  /** ms until the next token may be spent; 0 means at once. */
  waitMs(): number;
  /** Spends a token that has been waited for since `since` (mono ms). */
  take(since?: number): void;
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

  forgo(): void {
    this.#promised--;
  }

  /** Nothing limits: no waiting. */
  spendAtOnce(): undefined {
    this.#promised--;
    return undefined;
  }

  spend(signal: AbortSignal, caps: readonly SharedCap[]): Promise<void> {
    const since = this.#clock.mono();
    const turn = this.#line.then(() => this.#spendInTurn(signal, since, caps));
    this.#line = turn.catch(() => undefined);
    return turn;
  }

  async #spendInTurn(signal: AbortSignal, since: number, caps: readonly SharedCap[]): Promise<void> {
    try {
      for (;;) {
        signal.throwIfAborted();
        let wait = this.#source.waitMs();
        for (const { limiter } of caps) wait = Math.max(wait, limiter.waitMs());
        if (wait <= 0) break;
        await sleep(Math.min(wait, LONGEST_TIMER_MS), signal);
      }
      this.#source.take(since);
      for (const { limiter } of caps) limiter.take(since);
    } finally {
      this.#promised--;
    }
  }
}
