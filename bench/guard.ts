/**
 * The guard against slow changes: CPU per message beside Postfix in the same run, in pairs ABAB, compared with the
 * ratio that is kept in guard.json for this kind of processor: what a system call costs beside JavaScript differs by more
 * than a factor of two between kinds. On one that is not known the worst ratio kept counts. It may get worse by a
 * quarter before it is a failure. `--write` keeps the one that was measured.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { median, type Run } from './report.ts';

const KEPT = fileURLToPath(new URL('./guard.json', import.meta.url));
const WORSE = 1.25;

/** What the guard runs: enough for compiled code to weigh more than its compilation, short enough for every change. */
export const GUARD = { count: 5_000, warmUp: 2_000 } as const;
export const GUARD_ROUNDS = 3;

/** By processor: CPU per message of Postrider to that of Postfix in W1, median of the pairs. */
type Kept = Readonly<Record<string, number>>;

/** The verdict in words, and whether it is good. */
export function judge(
  runs: readonly Run[],
  { write, cpu }: { readonly write: boolean; readonly cpu: string },
): { text: string; good: boolean } {
  const pairs = [...Map.groupBy(runs, ({ round }) => round).values()].map((pair) => {
    const cpuOf = (name: string): number =>
      pair.find(({ contender }) => contender === name)?.figures.cpuPer1000 ?? NaN;
    return cpuOf('postrider') / cpuOf('postfix');
  });
  const ratio = median(pairs);
  if (!Number.isFinite(ratio)) return { text: 'guard: no pair could be measured', good: false };
  const known = JSON.parse(readFileSync(KEPT, 'utf8')) as Kept;
  if (write) {
    const next: Kept = { ...known, [cpu]: Number(ratio.toFixed(3)) };
    writeFileSync(KEPT, `${JSON.stringify(next, null, 2)}\n`);
    return { text: `guard: kept ${ratio.toFixed(3)}`, good: true };
  }
  const cpuRatio = known[cpu] ?? Math.max(...Object.values(known));
  const said = `CPU per message is ${ratio.toFixed(3)} of Postfix's (pairs ${pairs.map((pair) => pair.toFixed(3)).join(', ')}), kept is ${cpuRatio}`;
  return ratio <= cpuRatio * WORSE
    ? { text: `guard: ${said}`, good: true }
    : { text: `guard: ${said}: more than ${WORSE} times as much`, good: false };
}
