/** How long mail waits for its turn, in words: `next message in 23 s`, and of hours `next message in 21 h 41 min`. */
const IN_HOURS_MS = 3 * 3_600_000;

export function nextMessageIn(ms: number): string {
  if (ms < IN_HOURS_MS) return `next message in ${Math.ceil(ms / 1000)} s`;
  const minutes = Math.ceil(ms / 60_000);
  return `next message in ${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
