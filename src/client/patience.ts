/** How long a request that fails for the moment is tried again: the wait grows, and progress starts it anew. */
import { setTimeout as delay } from 'node:timers/promises';
import { ConnectionBroken, PostriderError } from './errors.ts';

const FIRST_WAIT_MS = 200;
const LONGEST_WAIT_MS = 10_000;

export class Patience {
  readonly #limitMs: number;
  readonly #signal: AbortSignal | undefined;
  #since: number | undefined;
  #wait = FIRST_WAIT_MS;

  /** Gives up `limitMs` after the last progress. */
  constructor(limitMs: number, signal?: AbortSignal) {
    this.#limitMs = limitMs;
    this.#signal = signal;
  }

  progress(): void {
    this.#since = undefined;
    this.#wait = FIRST_WAIT_MS;
  }

  /** Waits before the next try; throws the error when it is final, or it has gone on for too long. */
  async afterFailure(error: unknown): Promise<void> {
    const temporary =
      error instanceof ConnectionBroken || (error instanceof PostriderError && error.temporary);
    if (!temporary || this.#signal?.aborted) throw error;
    this.#since ??= performance.now();
    if (performance.now() - this.#since > this.#limitMs) throw error;
    const asked = error instanceof PostriderError ? (error.retryAfterMs ?? 0) : 0;
    await delay(Math.max(this.#wait, asked), undefined, this.#signal && { signal: this.#signal });
    this.#wait = Math.min(this.#wait * 2, LONGEST_WAIT_MS);
  }
}
