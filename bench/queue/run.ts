/**
 * `npm run bench:queue`: the queue at size, beside a small one. Exit status: 0 when all figures are within the targets,
 * 1 when one is not or a part failed, 2 for usage. `--write` makes the figures a part of RESULTS.md.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { formatSize } from '../../src/core/index.ts';
import { describeMachine } from '../machine.ts';
import { postrider } from '../postrider.ts';
import { table } from '../report.ts';
import { commandOf, formatPart, keep, type Part } from '../results.ts';
import { type Costs, measureCosts } from './costs.ts';
import { type Job, measureJobs } from './jobs.ts';
import { type Depth, measureDepth } from './program.ts';
import { DOMAINS } from './recipients.ts';

interface Options {
  readonly size: number;
  readonly write?: true;
  readonly costs: boolean;
  readonly jobs?: true;
  readonly cpuProf?: true;
  readonly dir: string;
}

const SMALL = 10_000;
const TARGET = { rssAnonBytes: 400 * 1024 * 1024, firstMs: 3_000, ratio: 1.5 };
/** What a delivery costs is judged by both: waiting for the disk is no CPU time. */
const UNITS = [
  ['cpuUs', 'CPU'],
  ['wallUs', 'elapsed'],
] as const;

const whole = (value: number): string => Math.round(value).toLocaleString('en-US');

const program = new Command('bench:queue')
  .description('the queue with a million deliveries, beside one with ten thousand')
  .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2))
  .option('--size <n>', 'deliveries; 10000000 takes a quarter of an hour and 10 GB', Number, 1_000_000)
  .option('--no-costs', 'only the program: injection, memory, start')
  .option('--jobs', 'only the operations of operators on what waits')
  .option('--cpu-prof', 'a CPU profile of the injection, in the current directory')
  .option('--write', 'make the figures a part of RESULTS.md')
  .option('--dir <directory>', 'where the queues are made; not on a tmpfs', tmpdir())
  .action(run);

async function run(options: Options, command: Command): Promise<void> {
  if (!Number.isSafeInteger(options.size) || options.size <= SMALL)
    command.error(`error: --size: expected a whole number above ${SMALL}`, { exitCode: 2 });
  const dir = mkdtempSync(join(options.dir, 'postrider-bench-queue-'));
  process.on('exit', () => rmSync(dir, { recursive: true, force: true }));
  const machine = describeMachine(dir);
  const say = (text: string): void => void process.stderr.write(`${text}\n`);
  const profile = options.cpuProf ? ['--cpu-prof', '--cpu-prof-interval=500'] : [];
  if (options.jobs) {
    console.log(jobTable(await measureJobs(dir, options.size)).join('\n'));
    return;
  }
  const depths: Depth[] = [];
  for (const size of [SMALL, options.size]) {
    depths.push(await measureDepth(dir, size, size === SMALL ? [] : profile));
    say(`program: ${size} queued: ${whole(depths.at(-1)!.recipientsPerSecond)} recipients/s`);
    rmSync(join(dir, `program-${size}`), { recursive: true });
  }
  const costs = options.costs ? await measureCosts(dir, [SMALL, options.size], say) : [];
  const misses = missed(depths.at(-1)!, costs);
  const part: Part = {
    title: 'The queue at size',
    command: commandOf('bench:queue'),
    date: new Date().toISOString(),
    machine,
    versions: { postrider: postrider().version },
    body: [
      `Deliveries of one campaign over ${whole(DOMAINS)} domains, \`durability: sync\`. Injection with one variable a recipient through \`POST /v1/batches\` on one connection while no receiver answers.`,
      '',
      ...programTable(depths),
      '',
      ...costTable(costs),
      ...(misses.length === 0 ? ['Within the targets.'] : misses.map((text) => `- MISSED: ${text}`)),
    ],
  };
  console.log(formatPart(part));
  if (options.write) keep({ queue: part });
  process.exitCode = misses.length === 0 ? 0 : 1;
}

const programTable = (depths: readonly Depth[]): string[] =>
  table([
    ['the program', ...depths.map(({ size }) => `${whole(size)} queued`)],
    ['injected, recipients/s', ...depths.map((one) => whole(one.recipientsPerSecond))],
    ['CPU per recipient injected, us', ...depths.map((one) => one.takenCpuUs.toFixed(1))],
    ['RssAnon peak while injecting', ...depths.map((one) => formatSize(one.whileTaking.rssAnonBytes))],
    ['size of the store', ...depths.map((one) => formatSize(one.storeBytes))],
    ['start of the process to first delivery, ms', ...depths.map((one) => whole(one.firstMs))],
    ['RssAnon peak after the start', ...depths.map((one) => formatSize(one.after.rssAnonBytes))],
    [
      `delivered/s, first ${whole(depths[0]!.delivered)} after the start`,
      ...depths.map((one) => whole(one.deliveredPerSecond)),
    ],
  ]);

const jobTable = (jobs: readonly Job[]): string[] =>
  table([
    [
      'operation',
      'deliveries',
      'first answer, ms',
      'done after, s',
      'other mail accepted, p99 ms',
      'and delivered, p99 ms',
    ],
    ...jobs.map((one) => [
      one.name,
      whole(one.matched),
      whole(one.answerMs),
      (one.doneMs / 1000).toFixed(1),
      whole(one.acceptedP99Ms),
      whole(one.arrivedP99Ms),
    ]),
  ]);

function costTable(costs: readonly Costs[]): string[] {
  if (costs.length === 0) return [];
  const rows = (['enqueue', 'dequeue'] as const).flatMap((kind) =>
    UNITS.map(([unit, title]) => {
      const figures = costs.map((one) => one[kind][unit]);
      const ratio = (figures[1]! / figures[0]!).toFixed(2);
      return [`${kind}, us ${title}`, ...figures.map((figure) => figure.toFixed(1)), ratio];
    }),
  );
  const head = [
    'the store, per delivery',
    ...costs.map(({ size }) => `at ${whole(size)}`),
    `ratio, target ${TARGET.ratio}`,
  ];
  return [...table([head, ...rows]), ''];
}

function missed({ whileTaking, after, firstMs }: Depth, costs: readonly Costs[]): string[] {
  const peak = Math.max(whileTaking.rssAnonBytes, after.rssAnonBytes);
  const misses: string[] = [];
  if (peak > TARGET.rssAnonBytes) misses.push(`RssAnon ${formatSize(peak)}, target 400MB`);
  if (firstMs > TARGET.firstMs) misses.push(`start to first delivery ${whole(firstMs)} ms, target 3,000`);
  const [small, large] = costs;
  if (!small || !large) return misses;
  for (const kind of ['enqueue', 'dequeue'] as const) {
    for (const [unit, title] of UNITS) {
      const ratio = large[kind][unit] / small[kind][unit];
      if (ratio > TARGET.ratio)
        misses.push(`${kind}: ${ratio.toFixed(2)} times the ${title}, target ${TARGET.ratio}`);
    }
  }
  return misses;
}

process.on('SIGINT', () => process.exit(130));
process.on('SIGTERM', () => process.exit(143));
await program.parseAsync();
