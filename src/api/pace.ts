/** How old what is queued is, how fast it goes, and when it will be over if it goes on like that. */
import type { QueueCounts } from './queue-counts.ts';

export interface Pace {
  /** Age of the oldest delivery, as of the last sweep of the queue or of what came into an empty row since; absent when neither is known. */
  readonly oldest_seconds?: number | undefined;
  /** Deliveries that ended, per second, over the last minutes. */
  readonly per_second: number;
  /** When what is not held will have ended at this speed; absent when nothing is left, or nothing goes. */
  readonly estimated_end?: string | undefined;
}

export interface Measured {
  /** Acceptance of the oldest one (wall ms), Infinity when that is not known. */
  readonly oldest: number;
  readonly perSecond: number;
}

/** Later than any date that can be written. */
const FAR_MS = 8.64e15;

export function paceOf(
  { total, hold }: Pick<QueueCounts, 'total' | 'hold'>,
  { oldest, perSecond }: Measured,
  now: number,
): Pace {
  const left = total - hold;
  const end = left > 0 && perSecond > 0 ? now + (left / perSecond) * 1000 : Infinity;
  return {
    ...(Number.isFinite(oldest) && { oldest_seconds: Math.max(0, (now - oldest) / 1000) }),
    per_second: perSecond,
    ...(end < FAR_MS && { estimated_end: new Date(end).toISOString() }),
  };
}
