/**
 * `npm run bench:dashboards`: what 20 open status pages cost delivery. One running MTA delivers the same number of
 * messages each second from the beginning to the end, less than it could; phases without and with the pages alternate, and
 * the CPU that its process takes in a phase (to the nanosecond, from the scheduler) is compared in pairs. The median of
 * the ratios counts, with an interval that has it with 95 % certainty. The MTA has a core of its own where there are two;
 * generator, receiver and pages share the other, and what the pages take is told apart. Exit status 1 when the pages cost
 * more than the target, 2 when the interval does not tell.
 */
import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Command } from 'commander';
import { Script } from './child.ts';
import { callControl } from './control.ts';
import { describeMachine } from './machine.ts';
import type { GeneratorJobs } from './generator.ts';
import { startPostrider } from './postrider.ts';
import { scheduledSecondsOf, treeOf } from './process-tree.ts';
import type { ReceiverJobs } from './receiver.ts';
import { median, medianInterval, table } from './report.ts';
import { writeStatusPageSection } from './status-page-results.ts';
import type { Watched, WatcherJobs } from './watchers.ts';
import { WORKLOADS } from './workloads.ts';

const PAGES = 20;
/** Of the CPU per delivery. */
const TARGET = 0.03;
const START_MS = 20_000;
const LOAD_MS = 600_000;
const WARM_UP_MS = 10_000;
/** After the pages were opened or closed. */
const SETTLE_MS = 300;

interface Phase {
  readonly cpuPer1000: number;
  readonly perSecond: number;
}

interface Pair {
  readonly without: Phase;
  readonly beside: Phase;
  readonly watched: Watched;
  /** CPU seconds of the process that has the pages, per second. */
  readonly pagesCpu: number;
}

const whole = { parse: (text: string): number => Math.max(1, Math.trunc(Number(text)) || 1) };
const options = new Command('bench:dashboards')
  .description(`CPU per delivery with ${PAGES} open status pages, beside none`)
  .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2))
  .option('--pairs <n>', 'pairs of phases', whole.parse, 35)
  .option('--seconds <n>', 'length of a phase', whole.parse, 3)
  .option('--rate <n>', 'messages a second', whole.parse, 1_000)
  .option('--write', 'write the section of STATUS-PAGE.md')
  .parse()
  .opts<{ pairs: number; seconds: number; rate: number; write?: true }>();

const workload = WORKLOADS.find(({ name }) => name === 'w1')!;
const dir = mkdtempSync(join(tmpdir(), 'postrider-dashboards-'));
process.on('exit', () => rmSync(dir, { recursive: true, force: true }));
process.on('SIGINT', () => process.exit(130));
// Who ends it early gets what was measured so far.
let stopped = false;
process.on('SIGTERM', () => (stopped = true));
const machine = describeMachine(dir);

const statusToken = randomUUID();
const receiver = new Script<ReceiverJobs>(new URL('./receiver.ts', import.meta.url));
const { port: receiverPort } = await receiver.ask('listen', { dkim: false }, START_MS);
const mta = await startPostrider({ dir, receiverPort, dkimKey: undefined }, { statusToken });
const generator = new Script<GeneratorJobs>(new URL('./generator.ts', import.meta.url));
const pages = new Script<WatcherJobs>(new URL('./watchers.ts', import.meta.url));
const pinned = pin();
const pairs: Pair[] = [];
try {
  // More than will be sent: the generator is stopped behind the last phase.
  const count = Math.ceil((LOAD_MS / 1000) * options.rate);
  const job = { workload, count, firstIndex: 0, port: mta.smtpPort, ratePerSecond: options.rate };
  const ended = generator.ask('smtp', job, LOAD_MS).then(({ accepted, firstRefusal }) => {
    throw new Error(`the load ended at ${accepted} of ${count} messages: ${firstRefusal}`);
  });
  await Promise.race([ended, measure()]);
  ended.catch(() => undefined);
} finally {
  for (const part of [generator, pages, mta, receiver]) await part.stop();
}
report();

async function measure(): Promise<void> {
  await delay(WARM_UP_MS);
  for (let i = 0; i < options.pairs && !stopped; i++) {
    pairs.push(await pair(i));
    console.error(`${i + 1}: ${percent(ratioOf(pairs.at(-1)!))} % more`);
  }
}

/** The MTA on the first core, all else on the others; whether that was possible. */
function pin(): boolean {
  const cores = availableParallelism();
  if (cores < 2) return false;
  const others = cores === 2 ? '1' : `1-${cores - 1}`;
  const place = (pid: number, where: string): unknown =>
    execFileSync('taskset', ['-acp', where, String(pid)]);
  try {
    for (const { pid } of treeOf(mta.pids)) place(pid, '0');
    for (const pid of [generator.pid, receiver.pid, pages.pid, process.pid]) place(pid, others);
    return true;
  } catch {
    return false;
  }
}

async function pair(i: number): Promise<Pair> {
  // Every other pair the other way round, so that a drift of the machine takes no side.
  const first = i % 2 === 0 ? await phase() : undefined;
  await pages.ask('open', { port: mta.statusPort, token: statusToken, count: PAGES }, START_MS);
  const before = scheduledSecondsOf([pages.pid]);
  const beside = await phase();
  const pagesCpu = (scheduledSecondsOf([pages.pid]) - before) / options.seconds;
  const watched = await pages.ask('close', {}, START_MS);
  return { without: first ?? (await phase()), beside, watched, pagesCpu };
}

async function phase(): Promise<Phase> {
  await delay(SETTLE_MS);
  const look = async (): Promise<{ cpu: number; ms: number; delivered: number }> => {
    const [cpu, ms] = [scheduledSecondsOf(mta.pids), performance.now()];
    return { cpu, ms, delivered: await deliveredBy(mta.controlSocket) };
  };
  const before = await look();
  await delay(options.seconds * 1000);
  const after = await look();
  const delivered = after.delivered - before.delivered;
  return {
    cpuPer1000: ((after.cpu - before.cpu) * 1000) / delivered,
    perSecond: (delivered * 1000) / (after.ms - before.ms),
  };
}

async function deliveredBy(socket: string): Promise<number> {
  const status = await callControl(socket, 'GET', '/v1/status');
  return (status as { readonly counters: { readonly delivered: number } }).counters.delivered;
}

function ratioOf({ without, beside }: Pair): number {
  return beside.cpuPer1000 / without.cpuPer1000;
}

function percent(ratio: number): string {
  return ((ratio - 1) * 100).toFixed(1);
}

function report(): void {
  const of = (what: (pair: Pair) => number, digits: number): string => {
    const values = pairs.map(what);
    return `${median(values).toFixed(digits)} (${Math.min(...values).toFixed(digits)} to ${Math.max(...values).toFixed(digits)})`;
  };
  const ratios = pairs.map(ratioOf);
  const [low, high] = medianInterval(ratios);
  const rows = table([
    ['', 'none', `${PAGES} open pages`],
    ['CPU s per 1,000', of(({ without }) => without.cpuPer1000, 3), of(({ beside }) => beside.cpuPer1000, 3)],
    ['delivered/s', of(({ without }) => without.perSecond, 0), of(({ beside }) => beside.perSecond, 0)],
  ]);
  const text = [
    ...rows,
    '',
    `With the pages it costs ${percent(median(ratios))} % more: the median of ${pairs.length} pairs of phases of ${options.seconds} s, 95 % certainly from ${percent(low)} to ${percent(high)} % (target: at most ${TARGET * 100} %).`,
    `${options.rate} messages a second all the time, ${pinned ? 'the MTA on a core of its own' : 'no cores of their own'}. Each page was sent ${of(({ watched }) => watched.messages / PAGES, 0)} messages a phase, ${of(({ watched }) => watched.bytes / PAGES / 1024, 0)} KB. The process that reads them all took ${of(({ pagesCpu }) => pagesCpu, 3)} CPU s a second, which is not counted.`,
  ];
  console.log(text.join('\n'));
  if (options.write) writeStatusPageSection('dashboards', machine, text);
  process.exitCode = high - 1 <= TARGET ? 0 : median(ratios) - 1 > TARGET ? 1 : 2;
}
