/**
 * Moments as the store keeps them. How long ago one was is told by the machine's monotonic clock, whatever the wall
 * clock was set to meanwhile; only after a start of the machine itself the wall clock is believed.
 */
import type { Clock } from '../../core/index.ts';

export interface Moment {
  /** Wall ms. */
  readonly at: number;
  /** The same moment by the monotonic clock: ms since the start of the machine with this id. */
  readonly boot?: { readonly id: string; readonly at: number };
}

export function momentOf(clock: Clock): Moment {
  const { boot } = clock;
  const at = clock.now();
  return boot ? { at, boot: { id: boot.id, at: boot.originMs + clock.mono() } } : { at };
}

/** ms since the moment, at least: never less than 0. */
export function msSince(clock: Clock, { at, boot: then }: Moment): number {
  const { boot } = clock;
  const sameStart = boot && then && boot.id === then.id;
  // The wall clock counts whole ms, so up to one of them has not passed.
  const ms = sameStart ? boot.originMs + clock.mono() - then.at : clock.now() - at - 1;
  return Math.max(0, ms);
}
