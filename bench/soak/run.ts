/**
 * `npm run bench:soak`: a million messages in and out of the store, killed again and again. Exit status: 0 when nothing
 * was lost and the file stayed within twice the peak of live data, 1 when not, 2 for usage. `--write` keeps the figures.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { formatSize } from '../../src/core/index.ts';
import { describeMachine } from '../machine.ts';
import { whole } from '../report.ts';
import { commandOf, formatPart, keep, type Part } from '../results.ts';
import { soak, type Soaked } from './soak.ts';

interface Options {
  readonly messages: number;
  readonly minutes: number;
  readonly depth: number;
  readonly seed: number;
  readonly write?: true;
  readonly dir: string;
}

const MOST = 2;
/** Messages between two kills. */
const KILL_EVERY = 5_000;

await new Command('bench:soak')
  .description('churn of the store: messages of 1 to 300 KB in and out, with kills')
  .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2))
  .option('--messages <n>', 'messages', Number, 1_000_000)
  .option('--minutes <n>', 'no longer than this', Number, Infinity)
  .option('--depth <n>', 'most messages that wait at once', Number, 2_000)
  .option('--seed <n>', 'of kills and contents', Number, 1)
  .option('--write', 'keep the figures, and write RESULTS.md anew')
  .option('--dir <directory>', 'where the store is made; not on a tmpfs', tmpdir())
  .action(run)
  .parseAsync();

async function run({ messages, minutes, depth, seed, write, dir: parent }: Options): Promise<void> {
  const dir = mkdtempSync(join(parent, 'postrider-soak-'));
  process.on('exit', () => rmSync(dir, { recursive: true, force: true }));
  const machine = describeMachine(dir);
  const start = performance.now();
  const until = start + minutes * 60_000;
  const soaked = await soak({ dir, seed, messages, depth, killEvery: KILL_EVERY, until, told });
  const { accepted, kills, bytesIn, peakLiveBytes, fileBytes } = soaked;
  const ratio = fileBytes / peakLiveBytes;
  const part: Part = {
    title: 'Churn of the store',
    command: commandOf('bench:soak'),
    date: new Date().toISOString(),
    machine,
    versions: {},
    body: [
      `${whole(accepted)} of ${whole(messages)} messages (${formatSize(bytesIn)}, log-uniform between 1 and 300 KB) in and out in ${whole((performance.now() - start) / 1000)} s, ${kills} times killed, each time audited: nothing lost, no crash. At most ${formatSize(peakLiveBytes)} of live data, the file ${formatSize(fileBytes)}: ${ratio.toFixed(2)} times (at most ${MOST}).`,
    ],
  };
  console.log(formatPart(part));
  if (write) keep({ soak: part });
  process.exitCode = ratio <= MOST ? 0 : 1;
}

function told({ accepted, kills, peakLiveBytes, fileBytes }: Soaked): void {
  process.stderr.write(
    `${accepted} accepted, ${kills} kills, ${formatSize(peakLiveBytes)} live at most, ${formatSize(fileBytes)} file\n`,
  );
}
