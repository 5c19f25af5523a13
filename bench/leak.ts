/**
 * `npm run bench:leak`: W1 at full speed for half an hour, and how the memory of the MTA goes meanwhile. Of each minute
 * the smallest heap and RssAnon count (what the collector leaves), the first third is warming up, and a straight line
 * through the rest gives megabytes per hour and per million messages. Exit status 1 when a slope is above the limit.
 * With `--write` the figures become a part of RESULTS.md.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Command, InvalidArgumentError } from 'commander';
import { Script } from './child.ts';
import type { GeneratorJobs } from './generator.ts';
import { describeMachine } from './machine.ts';
import { postrider, startPostrider } from './postrider.ts';
import { memoryOf } from './process-tree.ts';
import type { ReceiverJobs } from './receiver.ts';
import { table } from './report.ts';
import { commandOf, formatPart, keep, type Part } from './results.ts';
import { RECIPIENT_DOMAINS, WORKLOADS } from './workloads.ts';

const PER_LOAD = 10_000;
const SAMPLE_MS = 1_000;
const START_MS = 20_000;
const LOAD_MS = 600_000;
/** Minutes between two lines of the table. */
const SHOWN_EVERY = 3;
const MEGABYTE = 1024 * 1024;
/** Every message to a domain of its own. */
const ALL_NEW = 1_000_000_007;
/** Megabytes per million messages: a leak of 50 bytes per message shows. */
const LIMIT = 50;

interface Sample {
  readonly atMs: number;
  readonly messages: number;
  readonly heapBytes: number;
  readonly rssAnonBytes: number;
}

const { minutes, newDomains, rate, write } = new Command('bench:leak')
  .description('memory of Postrider at full speed')
  .option('--minutes <n>', 'how long, 4 at least', atLeastFour, 30)
  .option('--new-domains', 'every message goes to a domain that was not seen before')
  .option('--rate <n>', 'messages a second at most (default: as fast as it goes)', Number)
  .option('--write', 'write the figures to RESULTS.md')
  .parse()
  .opts<{ minutes: number; newDomains?: true; rate?: number; write?: true }>();

function atLeastFour(text: string): number {
  if (Number(text) >= 4) return Number(text);
  throw new InvalidArgumentError('a slope needs 4 minutes or more.');
}

const workload = WORKLOADS.find(({ name }) => name === 'w1')!;
const dir = mkdtempSync(join(tmpdir(), 'postrider-leak-'));
process.on('exit', () => rmSync(dir, { recursive: true, force: true }));
process.on('SIGINT', () => process.exit(130));
const machine = describeMachine(dir);

const receiver = new Script<ReceiverJobs>(new URL('./receiver.ts', import.meta.url));
const { port: receiverPort } = await receiver.ask('listen', { dkim: false }, START_MS);
const mta = await startPostrider({ dir, receiverPort, dkimKey: undefined });
const generator = new Script<GeneratorJobs>(new URL('./generator.ts', import.meta.url));
const samples: Sample[] = [];
const ended = new AbortController();
let messages = 0;
try {
  await Promise.all([load(), watch()]);
} finally {
  ended.abort();
  for (const part of [generator, mta, receiver]) await part.stop();
}
process.exitCode = report() ? 0 : 1;

async function load(): Promise<void> {
  const until = performance.now() + minutes * 60_000;
  const domains = newDomains ? ALL_NEW : RECIPIENT_DOMAINS;
  while (performance.now() < until) {
    const job = {
      workload,
      count: PER_LOAD,
      firstIndex: messages,
      port: mta.smtpPort,
      domains,
      ratePerSecond: rate,
    };
    const { accepted, firstRefusal } = await generator.ask('smtp', job, LOAD_MS);
    if (accepted !== PER_LOAD) throw new Error(`${accepted} of ${PER_LOAD} accepted: ${firstRefusal}`);
    messages += accepted;
    const arrived = await receiver.ask('until', { recipients: messages, deadlineMs: LOAD_MS }, LOAD_MS * 2);
    if (arrived.recipients < messages) throw new Error(`${arrived.recipients} of ${messages} arrived`);
  }
  ended.abort();
}

async function watch(): Promise<void> {
  while (!ended.signal.aborted) {
    const { rssAnonBytes } = memoryOf(mta.pids);
    samples.push({
      atMs: performance.now(),
      messages,
      heapBytes: await heapOf(mta.statusPort),
      rssAnonBytes,
    });
    await delay(SAMPLE_MS, undefined, { signal: ended.signal }).catch(() => undefined);
  }
}

async function heapOf(port: number): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  return Number(/^nodejs_heap_size_used_bytes (\S+)/m.exec(text)?.[1]);
}

interface Minute {
  readonly minute: number;
  readonly messages: number;
  readonly heap: number;
  readonly rssAnon: number;
}

/** Of each minute what the collector leaves, in megabytes. */
function byMinute(): Minute[] {
  const start = samples[0]!.atMs;
  return [...Map.groupBy(samples, ({ atMs }) => Math.floor((atMs - start) / 60_000))].map(([minute, of]) => ({
    minute,
    messages: of.at(-1)!.messages,
    heap: Math.min(...of.map(({ heapBytes }) => heapBytes)) / MEGABYTE,
    rssAnon: Math.min(...of.map(({ rssAnonBytes }) => rssAnonBytes)) / MEGABYTE,
  }));
}

/** Prints a line for each minute, and the slopes; true when they are within the limit. */
function report(): boolean {
  const all = byMinute();
  const steady = all.slice(Math.ceil(all.length / 3));
  const slopes = (['heap', 'rssAnon'] as const).map((what) => ({
    what,
    perHour: slope(steady.map((one) => [one.minute / 60, one[what]])),
    perMillion: slope(steady.map((one) => [one.messages / 1e6, one[what]])),
  }));
  const good = slopes.every(({ perMillion }) => perMillion <= LIMIT);
  const perSecond = Math.round(messages / (all.length * 60));
  const part: Part = {
    title: newDomains ? 'Memory over time, every message to a new domain' : 'Memory over time',
    command: commandOf('bench:leak'),
    date: new Date().toISOString(),
    machine,
    versions: { postrider: postrider().version },
    body: [
      `W1 for ${minutes} minutes, ${messages.toLocaleString('en-US')} messages, ${perSecond}/s. Of each minute the smallest value; ` +
        `slopes without the first third. ${good ? 'Within' : 'ABOVE'} the limit of ${LIMIT} MB per million messages.`,
      '',
      ...table([
        ['', 'MB an hour', 'MB per million messages'],
        ...slopes.map((one) => [one.what, one.perHour.toFixed(1), one.perMillion.toFixed(1)]),
      ]),
      '',
      ...table([
        ['minute', 'messages', 'heap MB', 'RssAnon MB'],
        ...all
          .filter(({ minute }) => minute % SHOWN_EVERY === 0 || minute === all.length - 1)
          .map((one) => [
            String(one.minute),
            one.messages.toLocaleString('en-US'),
            one.heap.toFixed(1),
            one.rssAnon.toFixed(1),
          ]),
      ]),
    ],
  };
  console.log(formatPart(part));
  if (write) keep({ [newDomains ? 'leak-domains' : 'leak']: part });
  return good;
}

/** Of the straight line with the least squares. */
function slope(points: readonly (readonly [x: number, y: number])[]): number {
  const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
  const [mx, my] = [mean(points.map(([x]) => x)), mean(points.map(([, y]) => y))];
  const top = points.reduce((sum, [x, y]) => sum + (x - mx) * (y - my), 0);
  return top / points.reduce((sum, [x]) => sum + (x - mx) ** 2, 0);
}
