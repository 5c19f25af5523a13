/**
 * `postrider salvage DIR`: copies all of a damaged store that can be read. Its pages are read one by one (page-tree.ts), not
 * by LMDB, which a damaged page can end. What is missing is counted and named by the keys around it.
 */
import { copyFileSync, existsSync, mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Command } from 'commander';
import {
  type Kv,
  lockInstance,
  markCopy,
  mistrustSlots,
  openLmdbKv,
  STORE_FILE,
  type Table,
  TABLES,
} from '../queue/index.ts';
import { fail } from './connection.ts';
import { type ExitCode, exitingWith, type Io } from './io.ts';
import { type Gap, openPages, Pages, type PageSource, type Snapshot } from './page-tree.ts';
import { dataDirOf, secretFileOf, type StoreOptions, withStore } from './store-options.ts';
import { auditInChild } from './walk.ts';

/** Of one commit of the copy. */
const CHUNK_ENTRIES = 1_000;
const CHUNK_BYTES = 16 * 1024 * 1024;
/** Tables that say where deliveries wait: where one has a gap, a start has to give each its place anew. */
const PLACES: ReadonlySet<Table> = new Set(['queues', 'deliveries', 'schedule', 'slot_log', 'leases']);
/** Gaps of a table that are printed. */
const SHOWN_GAPS = 5;

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
  /** As the store counts its entries. */
  readonly missing: number;
  /** Between which keys (hex) they are. */
  readonly gaps: readonly { readonly after: string; readonly before: string }[];
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
  let copy: Copy;
  try {
    mkdirSync(target, { recursive: true, mode: 0o750 });
    copy = await copyStore(openPages(source), target);
    const secret = await secretFileOf(options);
    if (existsSync(secret)) copyFileSync(secret, join(target, SECRET));
  } catch (error) {
    return no(`the copy in ${target} is not complete: ${(error as Error).message}`);
  } finally {
    if (lock?.ok) await lock.value.release();
  }
  const { tables, behind } = copy;
  if (tables.every(({ entries }) => entries === 0))
    return no(`nothing could be read of ${source}: its first pages are damaged; restore a backup`);
  const audited = await auditInChild(target);
  const violations = audited.ok ? audited.value.violations : [{ text: audited.error }];
  const lines = [
    ...(behind ? [BEHIND] : []),
    ...tables.filter(({ entries, whole }) => entries > 0 || !whole).flatMap(linesOf),
    ...violations.map(({ text }) => `  ${text}`),
    `${target} has what could be read; its audit names ${violations.length} things that are missing`,
    `To go on with it: move ${source} away, put the files of ${target} into ${dataDir}, start.`,
  ];
  await io.out(
    options.json
      ? `${JSON.stringify({ tables, behind, violations }, undefined, 2)}\n`
      : `${lines.join('\n')}\n`,
  );
  return !behind && tables.every(({ whole }) => whole) && violations.length === 0 ? 0 : 1;
}

const SECRET = 'secret';
const BEHIND =
  'one of the two heads, or the list of tables, is damaged: this may be the store of one commit before';

function linesOf({ table, entries, whole, missing, gaps }: Copied): string[] {
  if (whole) return [`${table}: ${entries}`];
  const between = gaps
    .slice(0, SHOWN_GAPS)
    .map(({ after, before }) => `  between ${after || 'its beginning'} and ${before || 'its end'}`);
  const more =
    gaps.length > SHOWN_GAPS ? [`  and at ${gaps.length - SHOWN_GAPS} places more (--json has them)`] : [];
  return [`${table}: ${entries}, ${missing} are missing`, ...between, ...more];
}

interface Copy {
  readonly tables: readonly Copied[];
  /** A newer commit than this one may be lost. */
  readonly behind: boolean;
}

async function copyStore(source: PageSource, target: string): Promise<Copy> {
  const pages = new Pages(source);
  const newest = pages.newest();
  if (!newest) return { tables: [], behind: true };
  const { snapshot, behind } = newest;
  const kv = openLmdbKv({ dir: target, durability: 'sync' });
  try {
    const tables: Copied[] = [];
    for (const table of TABLES) tables.push(await copyTable({ pages, snapshot, kv }, table));
    if (behind || tables.some(({ table, whole }) => !whole && PLACES.has(table))) await mistrustSlots(kv);
    // Events may be lost that were told already.
    if (behind || tables.some(({ table, whole }) => !whole && table === 'journal')) await markCopy(kv);
    return { tables, behind };
  } finally {
    await kv.close();
    source.close();
  }
}

interface Job {
  readonly pages: Pages;
  readonly snapshot: Snapshot;
  readonly kv: Kv;
}

async function copyTable({ pages, snapshot, kv }: Job, table: Table): Promise<Copied> {
  const tree = snapshot.tables.get(table);
  // A store of an earlier version does not have all tables.
  if (!tree) return { table, entries: 0, whole: snapshot.gaps.length === 0, missing: 0, gaps: [] };
  const gaps: Gap[] = [];
  const batch = new Batch(kv);
  let entries = 0;
  for (const { key, value } of pages.entries(tree, (gap) => void gaps.push(gap))) {
    entries++;
    await batch.add(table, key, value);
  }
  await batch.end();
  const missing = Math.max(0, tree.entries - entries);
  const named = gaps.map(({ after, before }) => ({ after: hexOf(after), before: hexOf(before) }));
  return { table, entries, whole: gaps.length === 0 && missing === 0, missing, gaps: named };
}

const hexOf = (key: Buffer | undefined): string => key?.toString('hex') ?? '';

/** Entries that are stored together. */
class Batch {
  readonly #kv: Kv;
  #ops: { table: Table; key: Buffer; value: Buffer }[] = [];
  #bytes = 0;

  constructor(kv: Kv) {
    this.#kv = kv;
  }

  async add(table: Table, key: Buffer, value: Buffer): Promise<void> {
    this.#ops.push({ table, key, value });
    this.#bytes += value.length;
    if (this.#ops.length >= CHUNK_ENTRIES || this.#bytes >= CHUNK_BYTES) await this.end();
  }

  async end(): Promise<void> {
    if (this.#ops.length > 0) await this.#kv.commit(this.#ops);
    this.#ops = [];
    this.#bytes = 0;
  }
}
