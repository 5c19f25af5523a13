/** Speeds and spans of time as people read them: two figures that count. */
import type { Pace } from '../api/index.ts';
import { formatDuration } from '../core/index.ts';

const MINUTE_MS = 60_000;

export const rateText = ({ per_second: perSecond }: Pick<Pace, 'per_second'>): string =>
  perSecond >= 10 || perSecond === 0 ? perSecond.toFixed(0) : perSecond.toPrecision(2);

/** To the second below two minutes, else to the minute. */
export function about(ms: number): string {
  const step = ms < 2 * MINUTE_MS ? 1_000 : MINUTE_MS;
  return formatDuration(Math.max(0, Math.ceil(ms / step) * step));
}

export const oldestText = ({ oldest_seconds: seconds }: Pick<Pace, 'oldest_seconds'>): string =>
  seconds === undefined ? '-' : about(seconds * 1000);

export const endsInText = ({ estimated_end: end }: Pick<Pace, 'estimated_end'>, now: number): string =>
  end === undefined ? '-' : about(Date.parse(end) - now);
