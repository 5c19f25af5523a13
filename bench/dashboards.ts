/**
 * `npm run bench:dashboards`: what 20 open status pages cost delivery. One running MTA delivers load after load, by turns
 * without and with the pages; the CPU of its processes per 1,000 deliveries is compared in pairs (ABAB), and the median
 * of their ratios counts. The pages run in a process of their own. Exit status 1 when they cost more than the target.
 */
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { Script, waitUntil } from './child.ts';
import { describeMachine } from './machine.ts';
import type { GeneratorJobs } from './generator.ts';
import { startPostrider } from './postrider.ts';
import { cpuSecondsOf } from './process-tree.ts';
import type { ReceiverJobs } from './receiver.ts';
import { median, table } from './report.ts';
import { writeStatusPageSection } from './status-page-results.ts';
import type { Watched, WatcherJobs } from './watchers.ts';
import { WORKLOADS } from './workloads.ts';

const PAGES = 20;
/** Of the CPU per delivery. */
const TARGET = 0.03;
const START_MS = 20_000;
const LOAD_MS = 300_000;
const WARM_UP = 3_000;

interface Load {
  readonly cpuPer1000: number;
  readonly perSecond: number;
}

interface Pair {
  readonly without: Load;
  readonly beside: Load;
  readonly watched: Watched;
}

const whole = { parse: (text: string): number => Math.max(1, Math.trunc(Number(text)) || 1) };
const options = new Command('bench:dashboards')
  .description(`CPU per delivery with ${PAGES} open status pages, beside none`)
  .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2))
  .option('--pairs <n>', 'pairs of loads', whole.parse, 9)
  .option('--count <n>', 'messages in a load', whole.parse, 5_000)
  .option('--write', 'write the section of STATUS-PAGE.md')
  .parse()
  .opts<{ pairs: number; count: number; write?: true }>();

const workload = WORKLOADS.find(({ name }) => name === 'w1')!;
const dir = mkdtempSync(join(tmpdir(), 'postrider-dashboards-'));
process.on('exit', () => rmSync(dir, { recursive: true, force: true }));
process.on('SIGINT', () => process.exit(130));
process.on('SIGTERM', () => process.exit(143));
const machine = describeMachine(dir);

const statusToken = randomUUID();
const receiver = new Script<ReceiverJobs>(new URL('./receiver.ts', import.meta.url));
const { port: receiverPort } = await receiver.ask('listen', { dkim: false }, START_MS);
const mta = await startPostrider({ dir, receiverPort, dkimKey: undefined }, { statusToken });
const generator = new Script<GeneratorJobs>(new URL('./generator.ts', import.meta.url));
const pages = new Script<WatcherJobs>(new URL('./watchers.ts', import.meta.url));
const pairs: Pair[] = [];
let sent = 0;
try {
  await load(WARM_UP);
  for (let i = 0; i < options.pairs; i++) {
    // Every other pair the other way round, so that a drift of the machine takes no side.
    const first = i % 2 === 0 ? await load(options.count) : undefined;
    await pages.ask('open', { port: mta.statusPort, token: statusToken, count: PAGES }, START_MS);
    const beside = await load(options.count);
    const watched = await pages.ask('close', {}, START_MS);
    const pair = { without: first ?? (await load(options.count)), beside, watched };
    pairs.push(pair);
    console.error(`${i + 1}: ${(ratioOf(pair) * 100 - 100).toFixed(2)} %`);
  }
} finally {
  for (const part of [generator, pages, mta, receiver]) await part.stop();
}
report();

/** Sends so many messages through and waits until the queue is empty again. */
async function load(count: number): Promise<Load> {
  const before = cpuSecondsOf(mta.pids);
  const started = performance.now();
  const job = { workload, count, firstIndex: sent, port: mta.smtpPort };
  const { accepted, firstRefusal } = await generator.ask('smtp', job, LOAD_MS);
  if (accepted !== count) throw new Error(`${accepted} of ${count} accepted: ${firstRefusal}`);
  sent += count;
  await receiver.ask('until', { recipients: sent, deadlineMs: LOAD_MS }, LOAD_MS * 2);
  const seconds = (performance.now() - started) / 1000;
  await waitUntil(async () => (await mta.queued()) === 0, 'the queue is not empty', { deadlineMs: LOAD_MS });
  const cpu = cpuSecondsOf(mta.pids) - before;
  return { cpuPer1000: (cpu * 1000) / count, perSecond: count / seconds };
}

function ratioOf({ without, beside }: Pair): number {
  return beside.cpuPer1000 / without.cpuPer1000;
}

function report(): void {
  const of = (what: (pair: Pair) => number, digits: number): string => {
    const values = pairs.map(what);
    return `${median(values).toFixed(digits)} (${Math.min(...values).toFixed(digits)} to ${Math.max(...values).toFixed(digits)})`;
  };
  const share = median(pairs.map(ratioOf)) - 1;
  const rows = table([
    ['', 'none', `${PAGES} open pages`],
    ['CPU s per 1,000', of(({ without }) => without.cpuPer1000, 3), of(({ beside }) => beside.cpuPer1000, 3)],
    ['delivered/s', of(({ without }) => without.perSecond, 0), of(({ beside }) => beside.perSecond, 0)],
  ]);
  const text = [
    ...rows,
    '',
    `With the pages it costs ${(share * 100).toFixed(1)} % more (median of ${pairs.length} pairs of ${options.count} messages; target ${TARGET * 100} %).`,
    `Each page was sent ${of(({ watched }) => watched.messages / PAGES, 0)} messages a load, ${of(({ watched }) => watched.bytes / PAGES / 1024, 0)} KB.`,
  ];
  console.log(text.join('\n'));
  if (options.write) writeStatusPageSection('dashboards', machine, text);
  process.exitCode = share <= TARGET ? 0 : 1;
}
