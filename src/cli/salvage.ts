/**
 * `postrider salvage DIR`: copies all of a damaged store that can be read. Each part is copied by a child process,
 * because a damaged page can end the process that reads it: a table is read from its beginning to the damage and from
 * its end to the damage. What lies between two damages is looked for from keys in the middle, closer and closer; a
 * stretch that is short beside its distance to both may be missed.
 */
import { spawn } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { Command } from 'commander';
import {
  copyPart,
  keyAfter,
  keyBetween,
  type Kv,
  lockInstance,
  mistrustSlots,
  openLmdbKv,
  openLmdbReader,
  STORE_FILE,
  type Table,
  TABLES,
} from '../queue/index.ts';
import { fail } from './connection.ts';
import { type ExitCode, exitingWith, type Io } from './io.ts';
import { dataDirOf, secretFileOf, type StoreOptions, withStore } from './store-options.ts';
import { auditInChild } from './walk.ts';

const CHUNK = 1_000;
const SECRET = 'secret';
/** Tables that say where deliveries wait: where one has a gap, a start has to give each its place anew. */
const PLACES: ReadonlySet<Table> = new Set(['queues', 'deliveries', 'schedule', 'slot_log', 'leases']);
/** Begins the line of a child that could not write. */
const FAILED = 'failed ';
/** How often a gap is halved where nothing is found: 7 keys in it are tried, each costs a start of the program. */
const HALVINGS = 3;
/** Of a key before all others, where the first one is not known. */
const KEY_BYTES = 12;

export const salvageCommand = (io: Io): Command =>
  withStore(
    new Command('salvage')
      .description('copy what is readable of a damaged store; stop the server first')
      .argument('<dir>', 'directory for the copy; it must not have a store yet'),
  ).action(exitingWith((dir: string, options: StoreOptions) => salvage(io, resolve(dir), options)));

interface Copied {
  readonly table: Table;
  readonly entries: number;
  readonly whole: boolean;
}

async function salvage(io: Io, target: string, options: StoreOptions): Promise<ExitCode> {
  const dataDir = await dataDirOf(options);
  const source = join(dataDir, STORE_FILE);
  const no = (message: string): Promise<ExitCode> =>
    fail(io, options, { exitCode: 1, code: 'salvage', message, lines: [] });
  if (!existsSync(source)) return no(`there is no store ${source}`);
  if (existsSync(join(target, STORE_FILE))) return no(`${target} has a store; name a directory without one`);
  const lock = existsSync(dataDir) ? await lockInstance(dataDir) : undefined;
  // On a file system that turned read-only nobody can have the lock.
  if (lock && !lock.ok && lock.error.pid !== undefined) return no(`${lock.error.text}; stop it first`);
  const tables: Copied[] = [];
  try {
    mkdirSync(target, { recursive: true, mode: 0o750 });
    for (const table of TABLES) tables.push(await copyTable({ source, target, table }));
    if (tables.some(({ table, whole }) => !whole && PLACES.has(table))) await mistrustSlotsIn(target);
    const secret = await secretFileOf(options);
    if (existsSync(secret)) copyFileSync(secret, join(target, SECRET));
  } catch (error) {
    return no(`the copy in ${target} is not complete: ${(error as Error).message}`);
  } finally {
    if (lock?.ok) await lock.value.release();
  }
  if (tables.every(({ entries }) => entries === 0))
    return no(`nothing could be read of ${source}: its first pages are damaged; restore a backup`);
  const audited = await auditInChild(target);
  const violations = audited.ok ? audited.value.violations : [{ text: audited.error }];
  const lines = [
    ...tables
      .filter(({ entries, whole }) => entries > 0 || !whole)
      .map(({ table, entries, whole }) => `${table}: ${entries}${whole ? '' : ', with a gap'}`),
    ...violations.map(({ text }) => `  ${text}`),
    `${target} has what could be read; its audit names ${violations.length} things that are missing`,
    `To go on with it: move ${source} away, put the files of ${target} into ${dataDir}, start.`,
  ];
  await io.out(
    options.json ? `${JSON.stringify({ tables, violations }, undefined, 2)}\n` : `${lines.join('\n')}\n`,
  );
  return tables.every(({ whole }) => whole) && violations.length === 0 ? 0 : 1;
}

async function mistrustSlotsIn(dir: string): Promise<void> {
  const kv = openLmdbKv({ dir, durability: 'sync' });
  await mistrustSlots(kv);
  await kv.close();
}

interface Job {
  readonly source: string;
  readonly target: string;
  readonly table: Table;
}

/** Between two keys, both excluded; without one it goes to the end of the table. */
interface Stretch {
  readonly low?: Buffer | undefined;
  readonly high?: Buffer | undefined;
}

async function copyTable(job: Job): Promise<Copied> {
  const { table } = job;
  const forward = await copyAlong(job, 'forward', {});
  if (forward.whole) return { table, entries: forward.entries, whole: true };
  const back = await copyAlong(job, 'back', { low: forward.last });
  const low = forward.last ?? Buffer.alloc(KEY_BYTES);
  const between = await (back.last ? copyBetween(job, { low, high: back.last }) : copyOn(job, low));
  return { table, entries: forward.entries + back.entries + between, whole: false };
}

interface Gap {
  readonly low: Buffer;
  readonly high: Buffer;
}

/** Looks for what can be read between two damages; how many entries that were. */
async function copyBetween(job: Job, gap: Gap, halvings = HALVINGS): Promise<number> {
  const middle = halvings > 0 && keyBetween(gap.low, gap.high);
  if (!middle) return 0;
  const { entries, below, above } = await copyAround(job, gap, middle);
  const left = entries > 0 ? HALVINGS : halvings - 1;
  return entries + (await copyBetween(job, below, left)) + (await copyBetween(job, above, left));
}

/** The same where the end of the table is damaged too, so that nobody knows how far it goes. */
async function copyOn(job: Job, low: Buffer): Promise<number> {
  let high: Buffer = Buffer.alloc(low.length, 0xff);
  for (let middle = keyBetween(low, high); middle; middle = keyBetween(low, high)) {
    const { entries, below, above } = await copyAround(job, { low, high }, middle);
    if (entries > 0) return entries + (await copyBetween(job, below)) + (await copyOn(job, above.low));
    high = middle;
  }
  return 0;
}

/** From a key in a gap both ways; and the gaps that are left. */
async function copyAround(
  job: Job,
  { low, high }: Gap,
  middle: Buffer,
): Promise<{ readonly entries: number; readonly below: Gap; readonly above: Gap }> {
  const forward = await copyAlong(job, 'forward', { low: middle, high });
  // Where nothing follows, the key is on a damaged page, mostly.
  const back =
    forward.entries === 0 ? forward : await copyAlong(job, 'back', { low, high: keyAfter(middle) });
  return {
    entries: forward.entries + back.entries,
    below: { low, high: back.last ?? middle },
    above: { low: forward.last ?? middle, high },
  };
}

interface Part {
  readonly entries: number;
  /** Keys that came over. */
  readonly last: Buffer | undefined;
  readonly whole: boolean;
}

/** In chunks, and behind the last one that came over entry by entry up to the damage. */
async function copyAlong(job: Job, way: 'forward' | 'back', { low, high }: Stretch): Promise<Part> {
  let all: Part = { entries: 0, last: undefined, whole: false };
  for (const chunk of [CHUNK, 1]) {
    const from = way === 'forward' ? { low: all.last ?? low, high } : { low, high: all.last ?? high };
    const part = await copyInChild(job, way, { ...from, chunk });
    all = { entries: all.entries + part.entries, last: part.last ?? all.last, whole: part.whole };
    if (part.whole || !part.read) break;
  }
  return all;
}

const hexOf = (key: Buffer | undefined): string => key?.toString('hex') ?? '';
const keyOf = (hex: string): Buffer | undefined => (hex === '' ? undefined : Buffer.from(hex, 'hex'));

/** `read` tells whether there was anything that could be read. */
async function copyInChild(
  { source, target, table }: Job,
  way: string,
  { low, high, chunk }: Stretch & { readonly chunk: number },
): Promise<Part & { readonly read: boolean }> {
  const args = [source, target, table, way, String(chunk), hexOf(low), hexOf(high)];
  const program = [...process.execArgv, process.argv[1]!, 'copy-part', ...args];
  const child = spawn(process.execPath, program, { stdio: ['ignore', 'pipe', 'ignore'] });
  const ended = new Promise<number | null>((done) => child.on('close', done));
  let [entries, last, read] = [0, undefined as string | undefined, false];
  let failed: string | undefined;
  for await (const line of createInterface(child.stdout)) {
    if (line.startsWith(FAILED)) failed = line.slice(FAILED.length);
    read = true;
    const [key, count] = line.split(' ');
    if (count === undefined) continue;
    entries += Number(count);
    last = key;
  }
  if (failed !== undefined) throw new Error(failed);
  return { entries, last: keyOf(last ?? ''), whole: (await ended) === 0, read };
}

/** The child's side. */
export const copyPartCommand = (io: Io): Command =>
  new Command('copy-part')
    .description('copy a part of a table (used by salvage)')
    .argument('<source>')
    .argument('<target>')
    .argument('<table>')
    .argument('<way>')
    .argument('<chunk>')
    .argument('<low>')
    .argument('<high>')
    .action(exitingWith((...args: string[]) => copyHere(io, args)));

/** What cannot be written is no damage of the source. */
function openTarget(io: Io, dir: string): Kv {
  const target = openLmdbKv({ dir, durability: 'sync' });
  const commit: Kv['commit'] = (ops) =>
    target.commit(ops).catch(async (error: unknown) => {
      await io.out(`${FAILED}${(error as Error).message}\n`);
      throw error;
    });
  return { ...target, commit };
}

async function copyHere(
  io: Io,
  [source = '', dir = '', table, way, chunk, low = '', high = '']: readonly string[],
): Promise<ExitCode> {
  try {
    const target = openTarget(io, dir);
    const part = {
      table: table as Table,
      reverse: way === 'back',
      chunk: Number(chunk),
      low: keyOf(low),
      high: keyOf(high),
    };
    await copyPart(openLmdbReader(source), target, part, {
      read: () => void io.out('read\n'),
      copied: (last, count) => void io.out(`${last.toString('hex')} ${count}\n`),
    });
    await target.close();
    return 0;
  } catch {
    return 1;
  }
}
