/**
 * A destination rests after no session to it could be opened: 1 s, doubling with each failure in a row, at most 5
 * minutes, or longer when it is told so.
 */
import type { Refusal } from '../../core/index.ts';

export const restMs = (failures: number): number => Math.min(1_000 * 2 ** Math.min(failures - 1, 9), 300_000);

export class Rest {
  readonly #mono: () => number;
  readonly #onEnd: () => void;
  #failures = 0;
  #until = 0;
  #reason = '';
  #timer: NodeJS.Timeout | undefined;

  constructor(mono: () => number, onEnd: () => void) {
    this.#mono = mono;
    this.#onEnd = onEnd;
  }

  /** Why it rests, in words; undefined when it does not. */
  text(): string | undefined {
    const ms = this.#until - this.#mono();
    return ms > 0 ? `next connection in ${Math.ceil(ms / 1000)} s, after: ${this.#reason}` : undefined;
  }

  /** A session could be opened. */
  opened(): void {
    this.#failures = 0;
  }

  /** Sessions that were being opened when the rest began do not make it longer. */
  begin(refusal: Refusal, leastMs = 0): void {
    if (this.text() !== undefined) return;
    const ms = Math.max(restMs(++this.#failures), leastMs);
    this.#until = this.#mono() + ms;
    this.#reason = refusal.reply ? `${refusal.reply.code} ${refusal.reply.text}` : refusal.text;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#until = 0;
      this.#onEnd();
    }, ms);
  }

  /** Ends it without a word: without its timer a rest would have no end. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#until = 0;
  }
}
