/** How long a request that fails for the moment is tried again: the wait grows, and progress starts it anew. */
import { setTimeout as delay } from 'node:timers/promises';
import { ConnectionBroken, PostriderError } from './errors.ts';

const FIRST_WAIT_MS = 200;
const LONGEST_WAIT_MS = 10_000;
/** Where nobody listens asking costs next to nothing, and a server that starts again is there in a moment. */
const LONGEST_ABSENCE_MS = 1_000;

type Pause = (ms: number, value: undefined, options?: { readonly signal: AbortSignal }) => Promise<unknown>;

export class Patience {
  readonly #limitMs: number;
  readonly #signal: AbortSignal | undefined;
  readonly #pause: Pause;
  #since: number | undefined;
  #wait = FIRST_WAIT_MS;

  /** Gives up `limitMs` after the last progress. `pause` waits so many ms. */
  constructor(limitMs: number, signal?: AbortSignal, pause: Pause = delay) {
    this.#limitMs = limitMs;
    this.#signal = signal;
    this.#pause = pause;
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
    const longest = error instanceof ConnectionBroken ? LONGEST_ABSENCE_MS : LONGEST_WAIT_MS;
    const wait = Math.max(Math.min(this.#wait, longest), asked);
    await this.#pause(wait, undefined, this.#signal && { signal: this.#signal });
    this.#wait = Math.min(this.#wait * 2, LONGEST_WAIT_MS);
  }
}
