/** Clocks of a machine whose wall clock can be set: what has passed is known to the test alone. */
import type { Boot, Clock } from '../../../src/core/index.ts';

export class TwoClocks implements Clock {
  /** ms that have truly passed. */
  passed = 0;
  #wall: number;
  #monoOrigin: number;
  #boots = 0;
  /** What `passed` was when the machine started. */
  #booted = 0;

  constructor(wall = Date.UTC(2026, 2, 10, 12), monoOrigin = 5_000) {
    this.#wall = wall;
    this.#monoOrigin = monoOrigin;
  }

  /** Whole ms, as the real one. */
  now(): number {
    return Math.floor(this.#wall);
  }

  mono(): number {
    return this.#monoOrigin + this.passed;
  }

  advance(ms: number): void {
    this.passed += ms;
    this.#wall += ms;
  }

  /** Sets the wall clock forward or back. */
  step(ms: number): void {
    this.#wall += ms;
  }

  get boot(): Boot {
    return { id: String(this.#boots), originMs: -this.#booted - this.#monoOrigin };
  }

  /** The machine starts anew: the monotonic clock begins somewhere else. */
  restart(monoOrigin: number): void {
    this.#monoOrigin = monoOrigin - this.passed;
    this.#boots++;
    this.#booted = this.passed;
  }

  /** The process starts anew: its clock begins somewhere else, that of the machine goes on. */
  restartProcess(monoOrigin: number): void {
    this.#monoOrigin = monoOrigin - this.passed;
  }
}
