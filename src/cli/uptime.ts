/** Since when the program runs, for how long, and by how much the wall clock was set meanwhile. */
import type { Clock } from '../core/index.ts';

export class Uptime {
  readonly #clock: Clock;
  readonly #started: number;
  readonly #mono: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    [this.#started, this.#mono] = [clock.now(), clock.mono()];
  }

  /** `started` is wall time (ms), as it was told then. */
  figures(): { started: number; upMs: number; clockSetMs: number } {
    const upMs = this.#clock.mono() - this.#mono;
    return { started: this.#started, upMs, clockSetMs: this.#clock.now() - this.#started - upMs };
  }
}
