/**
 * The units people write in configuration: durations `500ms 60s 5m 24h 7d`, sizes `10KB 25MB` (powers of 1024),
 * rates `100/1m`. Parsers return undefined for what they do not understand; the caller names the place.
 */
const DURATION_UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1e3,
  m: 60e3,
  h: 3600e3,
  d: 86400e3,
  w: 604800e3,
};
const SIZE_UNITS: Readonly<Record<string, number>> = {
  B: 1,
  KB: 1024,
  MB: 1024 ** 2,
  GB: 1024 ** 3,
  TB: 1024 ** 4,
};

/** Milliseconds of `1h30m`, `500ms`, `7d`. */
export function parseDuration(text: string): number | undefined {
  if (!/^(?:\d+(?:\.\d+)?(?:ms|[smhdw]))+$/.test(text)) return undefined;
  let ms = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|[smhdw])/g))
    ms += Number(amount) * DURATION_UNITS[unit!]!;
  return Math.round(ms);
}

/** Bytes of `10KB`, `25MB`, `1.5GB`. */
export function parseSize(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s?(B|KB|MB|GB|TB)$/i.exec(text);
  return match ? Math.round(Number(match[1]) * SIZE_UNITS[match[2]!.toUpperCase()]!) : undefined;
}

export interface Rate {
  readonly count: number;
  readonly perMs: number;
}

/** `100/1m`, `5/s` (an amount of 1 may be left out). */
export function parseRate(text: string): Rate | undefined {
  const match = /^(\d+)\/(.+)$/.exec(text);
  if (!match) return undefined;
  const count = Number(match[1]);
  const perMs = parseDuration(/^\d/.test(match[2]!) ? match[2]! : `1${match[2]!}`);
  return count > 0 && perMs ? { count, perMs } : undefined;
}

/** `2h`, `1m30s`, `0s`: at most two units, for people; never more than it is. */
export function formatDuration(ms: number): string {
  if (ms < 0) return `-${formatDuration(-ms)}`;
  if (ms < 1000) return ms === 0 ? '0s' : `${Math.floor(ms)}ms`;
  let rest = Math.floor(ms / 1000);
  const parts: string[] = [];
  for (const [unit, seconds] of [
    ['d', 86400],
    ['h', 3600],
    ['m', 60],
    ['s', 1],
  ] as const) {
    const amount = Math.floor(rest / seconds);
    rest -= amount * seconds;
    if (amount > 0) parts.push(`${amount}${unit}`);
    if (parts.length === 2) break;
  }
  return parts.join('');
}

/** How long something has been so, to the second: only what is over counts. */
export const formatAge = (ms: number): string => formatDuration(Math.max(0, Math.floor(ms / 1000) * 1000));

/** `9.8KB`, `25MB`. */
export function formatSize(bytes: number): string {
  for (const unit of ['TB', 'GB', 'MB', 'KB'] as const) {
    const size = SIZE_UNITS[unit]!;
    if (bytes >= size) return `${Number((bytes / size).toFixed(1))}${unit}`;
  }
  return `${bytes}B`;
}
