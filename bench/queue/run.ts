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
import { whole } from '../report.ts';
import { commandOf, formatPart, keep, type Part, type PartName } from '../results.ts';
import { measureCampaign } from './campaign.ts';
import { measureCampaignMemory } from './campaign-memory.ts';
import { type Costs, measureCosts } from './costs.ts';
import { measureJobs } from './jobs.ts';
import { type Depth, measureDepth } from './program.ts';
import { DOMAINS } from './recipients.ts';
import { campaignMemoryTable, campaignTable, costTable, jobTable, programTable, UNITS } from './tables.ts';

interface Options {
  readonly size: number;
  readonly write?: true;
  readonly costs: boolean;
  readonly program: boolean;
  readonly jobs?: true;
  readonly campaign?: true;
  readonly memory?: true;
  readonly cpuProf?: true;
  readonly keep?: true;
  readonly dir: string;
}

/** What a part of the benchmark found. */
interface Measured {
  readonly name: PartName;
  readonly title: string;
  readonly lines: readonly string[];
  /** Which targets its figures were held against, and where they miss them. */
  readonly targets: readonly string[];
  readonly misses: readonly string[];
}

const SMALL = 10_000;
/** Above this it is a section of its own, without the target of memory: that is for a million. */
const MILLION = 1_000_000;
const TARGET = { rssAnonBytes: 400 * 1024 * 1024, firstMs: 3_000, ratio: 1.5, answerMs: 200 };

const program = new Command('bench:queue')
  .description('the queue with a million deliveries, beside one with ten thousand')
  .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2))
  .option('--size <n>', 'deliveries; 10000000 takes a quarter of an hour and 20 GB', Number, MILLION)
  .option('--no-costs', 'without the cost of a delivery in the store')
  .option('--no-program', 'only the cost of a delivery in the store')
  .option('--jobs', 'only the operations of operators on what waits')
  .option('--campaign', 'only a campaign through the client, with kills')
  .option('--memory', 'only the memory of server and client while a campaign comes in')
  .option('--cpu-prof', 'CPU profiles of the program, in the current directory')
  .option('--keep', 'queues and logs stay')
  .option('--write', 'make the figures a part of RESULTS.md')
  .option('--dir <directory>', 'where the queues are made; not on a tmpfs', tmpdir())
  .action(run);

const say = (text: string): void => void process.stderr.write(`${text}\n`);

async function run(options: Options, command: Command): Promise<void> {
  if (!Number.isSafeInteger(options.size) || options.size <= SMALL)
    command.error(`error: --size: expected a whole number above ${SMALL}`, { exitCode: 2 });
  const dir = mkdtempSync(join(options.dir, 'postrider-bench-queue-'));
  if (options.keep) say(`in ${dir}`);
  else process.on('exit', () => rmSync(dir, { recursive: true, force: true }));
  const machine = describeMachine(dir);
  let missed = false;
  for (const measure of partsOf(options)) {
    const { name, title, lines, targets, misses } = await measure(dir, options);
    const part: Part = {
      title,
      command: commandOf('bench:queue'),
      date: new Date().toISOString(),
      machine,
      versions: { postrider: postrider().version },
      body: [...lines, ...verdict(targets, misses)],
    };
    console.log(formatPart(part));
    if (options.write) keep({ [name]: part });
    missed ||= misses.length > 0;
  }
  process.exitCode = missed ? 1 : 0;
}

/** Nothing where there was no target. */
function verdict(targets: readonly string[], misses: readonly string[]): string[] {
  if (targets.length === 0) return [];
  if (misses.length > 0) return ['', ...misses.map((miss) => `- MISSED: ${miss}`)];
  return ['', `Within the targets: ${targets.join(', ')}.`];
}

type Measure = (dir: string, options: Options) => Promise<Measured>;

function partsOf(options: Options): Measure[] {
  if (options.jobs) return [jobs];
  if (options.campaign) return [campaign];
  if (options.memory) return [campaignMemory];
  return [...(options.program ? [sizes] : []), ...(options.costs && options.size <= MILLION ? [costs] : [])];
}

async function jobs(dir: string, { size, cpuProf }: Options): Promise<Measured> {
  const done = await measureJobs(dir, size, { profile: profile(cpuProf), say });
  const late = done.filter(({ answerMs }) => answerMs > TARGET.answerMs);
  return {
    name: 'queue-operations',
    title: 'The queue at size: operations on what waits',
    lines: [
      `A campaign over ${whole(DOMAINS)} domains, held, while 50 other messages a second and another campaign of 100 recipients a second come in and are delivered; the counts of the server are compared after each operation.`,
      '',
      ...jobTable(done),
    ],
    targets: ['first answer'],
    misses: late.map(({ name, answerMs }) => `${name}: first answer after ${whole(answerMs)} ms, target 200`),
  };
}

async function campaign(dir: string, { size }: Options): Promise<Measured> {
  const one = await measureCampaign(dir, size, say);
  return {
    name: 'queue-campaign',
    title: 'The queue at size: a campaign through the client, with kills',
    lines: [
      'The server is killed with SIGKILL after a third of the recipients, the client after two thirds; a second client sends the same campaign under the same idempotency key. Each recipient was accepted exactly once (events and counts compared).',
      '',
      ...campaignTable(one),
    ],
    targets: [],
    misses: [],
  };
}

async function campaignMemory(dir: string, { size }: Options): Promise<Measured> {
  const one = await measureCampaignMemory(dir, size);
  return {
    name: 'queue-campaign-memory',
    title: 'The queue at size: memory while a campaign comes in',
    lines: [
      `One campaign through \`postrider/client\`, undisturbed, as fast as it goes: ${whole(one.size / one.seconds)} recipients/s, start of the client included. Memory is looked at four times a second.`,
      '',
      ...campaignMemoryTable(one),
    ],
    targets: [],
    misses: [],
  };
}

async function sizes(dir: string, options: Options): Promise<Measured> {
  const { size } = options;
  const large = size > MILLION;
  const depths: Depth[] = [];
  for (const one of large ? [size] : [SMALL, size]) {
    depths.push(
      await measureDepth(dir, one, { profile: one === SMALL ? [] : profile(options.cpuProf), say }),
    );
    if (!options.keep) rmSync(join(dir, `program-${one}`), { recursive: true });
  }
  return {
    name: large ? 'queue-large' : 'queue',
    title: large ? `The queue at size: ${whole(size)} deliveries of one campaign` : 'The queue at size',
    lines: [
      `Deliveries of one campaign over ${whole(DOMAINS)} domains, \`durability: sync\`. Injection with one variable a recipient through \`POST /v1/batches\` on one connection while no receiver answers.`,
      '',
      ...programTable(depths),
    ],
    targets: large ? [] : ['RssAnon peak', 'start to first delivery'],
    misses: large ? [] : missedByProgram(depths.at(-1)!),
  };
}

async function costs(dir: string, { size }: Options): Promise<Measured> {
  const figures = await measureCosts(dir, [SMALL, size], say);
  return {
    name: 'queue-costs',
    title: 'The queue at size: cost of a delivery',
    lines: [
      `Deliveries over ${whole(DOMAINS)} domains in the store, \`durability: sync\`; two of each domain are taken in by a batch, leased and recorded, in turns at both sizes. Medians.`,
      '',
      ...costTable(figures, TARGET.ratio),
    ],
    targets: ['cost of a delivery'],
    misses: missedByCosts(figures),
  };
}

const profile = (wanted: true | undefined): string[] =>
  wanted ? ['--cpu-prof', '--cpu-prof-interval=500'] : [];

function missedByProgram(depth: Depth): string[] {
  const peak = Math.max(depth.whileTaking.rssAnonBytes, depth.after.rssAnonBytes);
  const misses: string[] = [];
  if (peak > TARGET.rssAnonBytes) misses.push(`RssAnon ${formatSize(peak)}, target 400MB`);
  if (depth.firstMs > TARGET.firstMs)
    misses.push(`start to first delivery ${whole(depth.firstMs)} ms, target 3,000`);
  return misses;
}

function missedByCosts([small, large]: readonly Costs[]): string[] {
  if (!small || !large) return [];
  const misses: string[] = [];
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
