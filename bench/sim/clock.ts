/** Time that only moves when the simulation says so. */
import type { Clock } from '../../src/core/index.ts';

/** A Monday, 00:00 UTC. */
const ORIGIN = Date.UTC(2026, 0, 5);
export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;

export class VirtualClock implements Clock {
  /** ms since the start. */
  at = 0;
  now = (): number => ORIGIN + Math.floor(this.at);
  mono = (): number => this.at;
}
