/**
 * `npm run bench:lookups`: what is asked for each recipient, and for each refusal. The stop list with 2,000,000 entries in a store
 * on disk, asked for addresses in no order; classification of refusals in one thread. Exit status 1 when a target is missed.
 * With `--write` the figures become a part of RESULTS.md.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { Classifier } from '../src/bounce/index.ts';
import { formatSize, systemClock } from '../src/core/index.ts';
import { openLmdbKv, Queue, type StopEntry, stopTarget } from '../src/queue/index.ts';
import { describeMachine } from './machine.ts';
import { postrider } from './postrider.ts';
import { memoryOf } from './process-tree.ts';
import { refusals } from './refusals.ts';
import { median, quantile, table, whole } from './report.ts';
import { commandOf, formatPart, keep, type Part } from './results.ts';

/** One entry in twenty is a domain. */
const DOMAINS = 20;
const PATTERNS = 1_000;
const ADDED_AT_ONCE = 10_000;
const LOOK_UPS = 200_000;
const TARGET_US = 10;
const CLASSIFIED = 200_000;
const ROUNDS = 5;
const TARGET_PER_SECOND = 100_000;

const { entries, write } = new Command('bench:lookups')
  .description('stop list and classification')
  .option('--entries <n>', 'of the stop list', Number, 2_000_000)
  .option('--write', 'write the figures to RESULTS.md')
  .parse()
  .opts<{ entries: number; write?: true }>();

const dir = mkdtempSync(join(tmpdir(), 'postrider-lookups-'));
process.on('exit', () => rmSync(dir, { recursive: true, force: true }));
process.on('SIGINT', () => process.exit(130));
const machine = describeMachine(dir);

const address = (i: number): string => `user${i}@mail${i % 50_000}.example`;
const domain = (i: number): string => `closed${i}.example`;
/** Numbers below `count` in an order that no cache foresees: steps of a prime, so none comes twice. */
const scattered = (i: number, count: number): number => (i * 1_000_003) % count;

function entryOf(kind: StopEntry['kind'], text: string): StopEntry {
  const target = stopTarget(kind, text);
  if (!target.ok) throw new Error(`${text} ${target.error}`);
  return { ...target.value, source: 'import', at: Date.now() };
}

interface LookUp {
  readonly name: string;
  readonly recipient: (i: number) => string;
  readonly found: boolean;
  readonly accountId?: string;
}

const LOOK_UP: readonly LookUp[] = [
  { name: 'a listed address', recipient: listed, found: true },
  { name: 'an address of a listed domain', recipient: listedDomain, found: true },
  { name: 'an address that is not listed', recipient: unlisted, found: false },
  { name: 'the same, for an account', recipient: unlisted, found: false, accountId: 'acme' },
];

function listed(i: number): string {
  const at = scattered(i, entries);
  return address(at % DOMAINS === 0 ? at + 1 : at);
}

function listedDomain(i: number): string {
  return `someone@${domain(scattered(i, Math.floor(entries / DOMAINS)))}`;
}

function unlisted(i: number): string {
  return `nobody${scattered(i, entries)}@mail${i % 50_000}.example`;
}

interface Times {
  readonly name: string;
  readonly p50Us: number;
  readonly p99Us: number;
}

const { lines: stopLines, met: quick } = await stopList();
const { lines: replyLines, met: fast } = classification();
const part: Part = {
  title: 'Stop list and classification',
  command: commandOf('bench:lookups'),
  date: new Date().toISOString(),
  machine,
  versions: { postrider: postrider().version },
  body: [...stopLines, '', ...replyLines],
};
console.log(formatPart(part));
if (write) keep({ lookups: part });
process.exitCode = quick && fast ? 0 : 1;

async function open(): Promise<Queue> {
  const kv = openLmdbKv({ dir, durability: 'sync' });
  return (await Queue.open({ kv, clock: systemClock, report: () => undefined })).queue;
}

async function stopList(): Promise<{ lines: string[]; met: boolean }> {
  const filling = await open();
  const start = performance.now();
  for (let at = 0; at < entries; at += ADDED_AT_ONCE)
    await filling.stopList.add(
      Array.from({ length: Math.min(ADDED_AT_ONCE, entries - at) }, (_, i) =>
        (at + i) % DOMAINS === 0
          ? entryOf('domain', domain((at + i) / DOMAINS))
          : entryOf('address', address(at + i)),
      ),
    );
  const addedPerSecond = entries / ((performance.now() - start) / 1000);
  await filling.close();
  const opening = performance.now();
  const queue = await open();
  const openMs = performance.now() - opening;
  const times = LOOK_UP.map((one) => timesOf(queue, one));
  await queue.stopList.add(
    Array.from({ length: PATTERNS }, (_, i) => entryOf('pattern', `*@*.bulk${i}.example`)),
  );
  times.push({ ...timesOf(queue, LOOK_UP[2]!), name: `the same, with ${whole(PATTERNS)} patterns` });
  const { rssAnonBytes } = memoryOf([process.pid]);
  await queue.close();
  const met = times.slice(0, LOOK_UP.length).every(({ p50Us }) => p50Us <= TARGET_US);
  return {
    lines: [
      `**Stop list** of ${whole(entries)} entries, one in ${DOMAINS} a domain: ${whole(addedPerSecond)} entries/s added durably, a start takes ` +
        `${openMs.toFixed(0)} ms, RssAnon ${formatSize(rssAnonBytes)}. ${whole(LOOK_UPS)} look-ups of each kind in no order, microseconds:`,
      '',
      ...table([
        ['looked up', 'median', '99 %'],
        ...times.map(({ name, p50Us, p99Us }) => [name, p50Us.toFixed(1), p99Us.toFixed(1)]),
      ]),
      '',
      `Target: a median of ${TARGET_US} us without patterns; ${met ? 'met' : 'MISSED'}.`,
    ],
    met,
  };
}

function timesOf({ stopList: list }: Queue, { name, recipient, found, accountId }: LookUp): Times {
  const took = new Float64Array(LOOK_UPS);
  for (let i = 0; i < LOOK_UPS; i++) {
    const asked = recipient(i);
    const start = performance.now();
    const entry = list.find(asked, accountId);
    took[i] = (performance.now() - start) * 1000;
    if ((entry !== undefined) !== found) throw new Error(`${asked}: ${JSON.stringify(entry)}`);
  }
  return { name, p50Us: quantile(took, 0.5), p99Us: quantile(took, 0.99) };
}

function classification(): { lines: string[]; met: boolean } {
  const replies = refusals(4_096);
  const classifier = new Classifier();
  const round = (): readonly [perSecond: number, perCpuSecond: number] => {
    const [start, before] = [performance.now(), process.cpuUsage()];
    for (let i = 0; i < CLASSIFIED; i++) classifier.classify(replies[i % replies.length]!);
    const { user, system } = process.cpuUsage(before);
    return [(CLASSIFIED * 1000) / (performance.now() - start), (CLASSIFIED * 1e6) / (user + system)];
  };
  round();
  const rounds = Array.from({ length: ROUNDS }, round);
  const perSecond = median(rounds.map(([one]) => one));
  const perCpuSecond = median(rounds.map(([, one]) => one));
  const met = perCpuSecond >= TARGET_PER_SECOND;
  return {
    lines: [
      `**Classification** in one thread, shipped patterns (${classifier.patterns.length}), ${whole(replies.length)} replies of 8 wordings that differ in address or id: ` +
        `${whole(perSecond)} replies/s, ${whole(perCpuSecond)} per second of CPU (all threads), medians of ${ROUNDS} rounds of ${whole(CLASSIFIED)}. ` +
        `Target: ${whole(TARGET_PER_SECOND)} for a second of one core; ${met ? 'met' : 'MISSED'}.`,
    ],
    met,
  };
}
