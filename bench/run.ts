/**
 * `npm run bench`: measures Postrider, beside Postfix where that is installed, in interleaved rounds. Exit status: 0
 * when every run yielded figures, 1 when one failed, 2 for usage. Starts nothing outside of 127.0.0.0/8, writes to a
 * temporary directory and, with `--write`, to results/ and what is made of it (results.ts).
 */
import { generateKeyPairSync } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import type { Contender } from './contender.ts';
import { curvesSection, measureCurves } from './curves.ts';
import { plotCurves } from './curves-plot.ts';
import { type Bench, measureScale, measureWorkers } from './drain.ts';
import { GUARD, GUARD_ROUNDS, judge } from './guard.ts';
import { describeMachine, type Machine } from './machine.ts';
import { runOnce } from './measure.ts';
import { runMicro } from './micro/index.ts';
import { findPostfix } from './postfix.ts';
import { findExim } from './exim.ts';
import { findHaraka } from './haraka.ts';
import { findOpensmtpd } from './opensmtpd.ts';
import { postrider } from './postrider.ts';
import { type Run, sectionOf, titleOf } from './report.ts';
import { commandOf, formatHead, formatPart, keep, type Part } from './results.ts';
import { printStages } from './stages.ts';
import { QUICK, type Workload, WORKLOADS } from './workloads.ts';

interface Options {
  readonly quick?: true;
  readonly runs: number;
  readonly only?: readonly string[];
  readonly json?: true;
  readonly peers: readonly string[] | false;
  readonly write?: true;
  readonly oneThread?: true;
  readonly keep?: true;
  readonly cpuProf?: true;
  readonly guard?: true;
  readonly dir: string;
}

interface Plan {
  readonly contenders: readonly Contender[];
  readonly workloads: readonly Workload[];
  readonly rounds: number;
  readonly dir: string;
  readonly keep: boolean;
  readonly dkimKey: string;
  readonly say: (text: string) => void;
}

/** What a run of the whole plan gave. */
interface Measured {
  readonly runs: readonly Run[];
  /** What could not be measured, one sentence each. */
  readonly notes: readonly string[];
  readonly failures: readonly string[];
}

const CURVES = new URL('../docs/curves.svg', import.meta.url);

const PEERS: Readonly<Record<string, () => Contender | string>> = {
  postfix: findPostfix,
  exim: findExim,
  haraka: findHaraka,
  opensmtpd: findOpensmtpd,
};

const program = new Command('bench')
  .description('measure Postrider, and others beside it')
  .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2))
  .option('--quick', `${QUICK.count} messages, one run: a look, not a measurement`)
  .option('--runs <n>', 'rounds; the medians are reported', rounds, 3)
  .option('--only <list>', `workloads: ${WORKLOADS.map(({ name }) => name).join(',')}`, workloadNames)
  .option('--peers <list>', `beside which: ${Object.keys(PEERS).join(',')}`, peerNames, ['postfix', 'haraka'])
  .option('--no-peers', 'Postrider alone')
  .option('--one-thread', 'also Postrider with everything in one thread (workers: 1)')
  .option('--json', 'print the figures of every run as JSON')
  .option('--write', 'keep the figures: RESULTS.md, docs/bench.svg, README.md')
  .option('--keep', 'keep queues and logs')
  .option('--cpu-prof', 'a CPU profile of each run of Postrider, in the current directory')
  .option(
    '--guard',
    'W1 in short pairs with Postfix; fails when CPU per message is a quarter worse than kept',
  )
  .option('--dir <directory>', 'where the queues are made; not on a tmpfs', tmpdir())
  .action(run);
const PARTS: Readonly<
  Record<
    'workers' | 'scale' | 'curves',
    [title: string, measure: (bench: Bench, machine: Machine) => Promise<string[]>]
  >
> = {
  workers: ['Two workers beside one', measureWorkers],
  scale: ['Scale', measureScale],
  curves: ['As work grows', drawCurves],
};
program
  .command('workers')
  .description('one worker beside two, emptying a queue that was filled before')
  .action((_: object, command: Command) => runPart('workers', command.optsWithGlobals()));
program
  .command('scale')
  .description('W1 beside a million deliveries that wait, 100 nodes, 300 ISPs; then the first of these')
  .action((_: object, command: Command) => runPart('scale', command.optsWithGlobals()));
program
  .command('curves')
  .description('CPU per message and memory against size, depth, ISPs, nodes and sessions')
  .action((_: object, command: Command) => runPart('curves', command.optsWithGlobals()));
program
  .command('micro')
  .description('the parts on the hot path, each beside the limit it cannot beat')
  .argument('[part...]', 'names of parts, such as dkim (default: all)')
  .action(runMicro);
program
  .command('stages')
  .description('a CPU profile of --cpu-prof as a table of stages')
  .argument('<file>', 'the .cpuprofile')
  .argument('[messages]', 'messages that went through meanwhile', rounds, 21_000)
  .action(printStages);

function rounds(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1)
    throw new InvalidArgumentError('expected a whole number from 1.');
  return value;
}

function workloadNames(text: string): string[] {
  const names = text.split(',');
  if (!names.every((name) => WORKLOADS.some((workload) => workload.name === name)))
    throw new InvalidArgumentError(`expected some of ${WORKLOADS.map(({ name }) => name).join(',')}.`);
  return names;
}

function peerNames(text: string): string[] {
  const names = text.split(',');
  if (!names.every((name) => Object.hasOwn(PEERS, name)))
    throw new InvalidArgumentError(`expected some of ${Object.keys(PEERS).join(',')}.`);
  return names;
}

async function run(options: Options, command: Command): Promise<void> {
  const dir = workDirectory(options, command);
  const machine = describeMachine(dir);
  const nodeSwitches = options.cpuProf ? ['--cpu-prof', '--cpu-prof-interval=500'] : [];
  const own = [postrider({ nodeSwitches })];
  if (options.oneThread) own.push(postrider({ name: 'postrider, workers: 1', nodeSwitches, workers: 1 }));
  const { contenders, notes } = options.peers
    ? withPeers(own, options.guard ? ['postfix'] : options.peers)
    : { contenders: own, notes: [] };
  if (machine.fileSystem === 'tmpfs')
    notes.push(`durability: ${options.dir} is a tmpfs, syncing costs nothing there`);
  const measured = await measureAll({
    contenders,
    dir,
    workloads: chosen(options),
    rounds: options.guard ? GUARD_ROUNDS : options.quick ? 1 : options.runs,
    keep: options.keep === true,
    dkimKey: newKey(),
    say,
  });
  if (options.guard) return guard(options, contenders, { ...measured, cpu: machine.cpu });
  const head = headOf(machine, contenders);
  report(options, head, { ...measured, notes: [...notes, ...measured.notes] });
}

/** One of the parts that are no comparison with others. Throws what failed. */
async function runPart(name: keyof typeof PARTS, options: Options): Promise<void> {
  const dir = workDirectory(options, program);
  const machine = describeMachine(dir);
  const [title, measurePart] = PARTS[name];
  const bench: Bench = {
    cores: machine.cores,
    rounds: options.runs,
    dkimKey: newKey(),
    say,
    once: async (label, work) => {
      const result = await inDirectory({ dir, keep: options.keep === true }, label, work);
      if (!result.ok) throw new Error(`${label}: ${result.error}`);
      return result.value;
    },
  };
  const part: Part = { ...headOf(machine, [postrider()]), title, body: await measurePart(bench, machine) };
  console.log(formatPart(part));
  if (options.write) keep({ [name]: part });
}

async function drawCurves(bench: Bench, machine: Machine): Promise<string[]> {
  const curves = await measureCurves(bench);
  if (program.opts<Options>().write) writeFileSync(CURVES, plotCurves(curves, machine));
  return curvesSection(curves);
}

const say = (text: string): void => void process.stderr.write(`${text}\n`);

const headOf = (machine: Machine, contenders: readonly Contender[]): Omit<Part, 'title' | 'body'> => ({
  command: commandOf('bench'),
  date: new Date().toISOString(),
  machine,
  versions: Object.fromEntries(contenders.map(({ name, version }) => [name, version])),
});

const newKey = (): string =>
  generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  }).privateKey;

/** Goes when the program ends, unless it shall stay. */
function workDirectory(options: Options, command: Command): string {
  if (!existsSync(new URL('../dist/cli/main.js', import.meta.url)))
    command.error('error: postrider is not built; run it as npm run bench', { exitCode: 2 });
  const dir = mkdtempSync(join(options.dir, 'postrider-bench-'));
  process.on('exit', () => {
    if (!options.keep) rmSync(dir, { recursive: true, force: true });
  });
  chmodSync(dir, 0o755); // Postfix runs under several users
  return dir;
}

/** Those that can run here, and why the others cannot. */
function withPeers(
  own: readonly Contender[],
  wanted: readonly string[],
): { contenders: Contender[]; notes: string[] } {
  const peers = Object.entries(PEERS)
    .filter(([name]) => wanted.includes(name))
    .map(([name, find]) => [name, find()] as const);
  return {
    contenders: [...peers.map(([, peer]) => peer).filter((peer) => typeof peer !== 'string'), ...own],
    notes: peers.flatMap(([name, peer]) => (typeof peer === 'string' ? [`${name}: ${peer}`] : [])),
  };
}

/** Without Postfix there is nothing to compare with: said, and no failure, unless in CI. */
function guard(
  { write }: Options,
  contenders: readonly Contender[],
  measured: { readonly runs: readonly Run[]; readonly failures: readonly string[]; readonly cpu: string },
): void {
  const { runs, failures, cpu } = measured;
  for (const failure of failures) console.log(`guard: ${failure}`);
  const alone = !contenders.some(({ name }) => name === 'postfix');
  const { text, good } = alone
    ? { text: 'guard: Postfix cannot run here', good: process.env['CI'] === undefined }
    : judge(runs, { write: write === true, cpu });
  console.log(text);
  process.exitCode = good && failures.length === 0 ? 0 : 1;
}

const chosen = ({ only, quick, guard: guarded }: Options): Workload[] => {
  if (guarded) return WORKLOADS.filter(({ name }) => name === 'w1').map((one) => ({ ...one, ...GUARD }));
  return WORKLOADS.filter(({ name }) => only?.includes(name) ?? true).map((workload) =>
    quick ? { ...workload, ...QUICK } : workload,
  );
};

/** ABAB: what drifts on the machine meets all contenders and workloads alike. */
async function measureAll(plan: Plan): Promise<Measured> {
  const runs: Run[] = [];
  const failures: string[] = [];
  const pairs = plan.workloads.flatMap((workload) =>
    plan.contenders.map((contender) => ({ workload, contender, why: contender.cannot(workload) })),
  );
  const able = pairs.filter(({ why }) => why === undefined);
  for (let round = 1; round <= plan.rounds; round++)
    for (const { workload, contender } of able) {
      const label = `${workload.name} round ${round} ${contender.name}`;
      const figures = await inDirectory(plan, label, (dir) =>
        runOnce(contender, workload, { dir, dkimKey: workload.dkim ? plan.dkimKey : undefined }),
      );
      if (figures.ok) runs.push({ workload, contender: contender.name, round, figures: figures.value });
      else failures.push(`${label}: ${figures.error}`);
      plan.say(`${label}: ${figures.ok ? briefly(figures.value) : figures.error}`);
    }
  const notes = pairs
    .filter(({ why }) => why !== undefined)
    .map(({ workload, contender, why }) => `${contender.name} in ${workload.name.toUpperCase()}: ${why}`);
  return { runs, notes, failures };
}

const briefly = ({ deliveredPerSecond, cpuPer1000 }: Run['figures']): string =>
  `${Math.round(deliveredPerSecond)} delivered/s, ${cpuPer1000.toFixed(3)} CPU s per 1,000`;

async function inDirectory<T>(
  plan: Pick<Plan, 'dir' | 'keep'>,
  label: string,
  work: (dir: string) => Promise<T>,
): Promise<T> {
  const dir = join(plan.dir, label.replaceAll(' ', '-'));
  mkdirSync(dir);
  const result = await work(dir);
  if (!plan.keep) rmSync(dir, { recursive: true, force: true });
  return result;
}

/** Prints the figures, and keeps them with `--write` unless a run failed: each workload is a part of its own. */
function report(options: Options, head: Omit<Part, 'title' | 'body'>, measured: Measured): void {
  const { runs, notes, failures } = measured;
  const workloads = new Map(runs.map(({ workload }) => [workload.name, workload]));
  const parts = [...workloads].map(([name, workload]): [string, Part] => [
    name,
    {
      ...head,
      title: titleOf(workload),
      body: sectionOf(workload, runs),
      runs: runs.filter((run) => run.workload.name === name),
    },
  ]);
  if (options.json) console.log(JSON.stringify({ ...head, ...measured }, null, 2));
  else
    console.log(
      [
        ...formatHead(head),
        ...notes.map((note) => `- not measured: ${note}`),
        ...failures.map((failure) => `- FAILED: ${failure}`),
        ...parts.flatMap(([, { title, body }]) => ['', `## ${title}`, '', ...body]),
      ].join('\n'),
    );
  if (options.write && failures.length === 0) keep(Object.fromEntries(parts));
  process.exitCode = failures.length === 0 ? 0 : 1;
}

process.on('SIGINT', () => process.exit(130)); // what runs is ended by the exit handler of child.ts
process.on('SIGTERM', () => process.exit(143));
await program.parseAsync();
