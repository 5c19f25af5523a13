/** The calendar day of a moment in a time zone: its name (2026-11-21) and when it ends (wall ms). */
export function dayAt(time: number, timezone: string): { name: string; endsAt: number } {
  const format = new Intl.DateTimeFormat('en-CA', { timeZone: timezone, dateStyle: 'short' });
  const name = format.format(time);
  let [low, high] = [time, time + 27 * 3600e3];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (format.format(middle) === name) low = middle;
    else high = middle;
  }
  return { name, endsAt: high };
}
