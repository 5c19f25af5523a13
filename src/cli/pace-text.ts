/** Speeds and spans of time as people read them: two figures that count. */
import type { Pace } from '../api/index.ts';
import { formatDuration } from '../core/index.ts';

const MINUTE_MS = 60_000;

export const rateText = ({ per_second: perSecond }: Pick<Pace, 'per_second'>): string =>
  perSecond >= 10 || perSecond === 0 ? perSecond.toFixed(0) : perSecond.toPrecision(2);

/** To the second below two minutes, else to the minute; `round` says to which of them. */
function about(ms: number, round: (steps: number) => number): string {
  const step = ms < 2 * MINUTE_MS ? 1_000 : MINUTE_MS;
  return formatDuration(Math.max(0, round(ms / step) * step));
}

/** Never more than it is. */
export const ageText = (seconds: number): string => about(seconds * 1000, Math.floor);

export const oldestText = ({ oldest_seconds: seconds }: Pick<Pace, 'oldest_seconds'>): string =>
  seconds === undefined ? '-' : ageText(seconds);

interface Ending extends Pick<Pace, 'estimated_end' | 'earliest_end'> {
  readonly hold: number;
}

/** `total`: with what is held. `>` where it ends no sooner. */
export function endsInText(
  { estimated_end: end, earliest_end: earliest, hold }: Ending,
  total: number,
  now: number,
): string {
  if (end !== undefined) return about(Date.parse(end) - now, Math.ceil);
  if (earliest !== undefined) return `>${about(Date.parse(earliest) - now, Math.floor)}`;
  return total > 0 && hold === total ? 'held' : '-';
}
