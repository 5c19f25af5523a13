/**
 * `postrider salvage DIR`: copies all of a damaged store that can be read. Each part is copied by a child process,
 * because a damaged page can end the process that reads it: a table is read from its beginning to the damage and from
 * its end to the damage; what lies between two damages of one table is not reached.
 */
import { spawn } from 'node:child_process';
import { mkdirSync, existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { Command } from 'commander';
import { copyPart, openLmdbKv, openLmdbReader, STORE_FILE, type Table, TABLES } from '../queue/index.ts';
import { fail } from './connection.ts';
import { type ExitCode, exitingWith, type Io } from './io.ts';
import { dataDirOf, type StoreOptions, withStore } from './store-options.ts';
import { auditInChild } from './walk.ts';

const CHUNK = 1_000;

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
  const source = join(await dataDirOf(options), STORE_FILE);
  const no = (message: string): Promise<ExitCode> =>
    fail(io, options, { exitCode: 1, code: 'salvage', message, lines: [] });
  if (!existsSync(source)) return no(`there is no store ${source}`);
  if (existsSync(join(target, STORE_FILE))) return no(`${target} has a store; name a directory without one`);
  mkdirSync(target, { recursive: true, mode: 0o750 });
  const tables: Copied[] = [];
  for (const table of TABLES) tables.push(await copyTable({ source, target, table }));
  const audited = await auditInChild(target);
  const violations = audited.ok ? audited.value.violations : [{ text: audited.error }];
  const lines = [
    ...tables.map(({ table, entries, whole }) => `${table}: ${entries}${whole ? '' : ', with a gap'}`),
    ...violations.map(({ text }) => `  ${text}`),
    `${target} has what could be read; its audit names ${violations.length} things that are missing`,
  ];
  await io.out(
    options.json ? `${JSON.stringify({ tables, violations }, undefined, 2)}\n` : `${lines.join('\n')}\n`,
  );
  return tables.every(({ whole }) => whole) && violations.length === 0 ? 0 : 1;
}

interface Job {
  readonly source: string;
  readonly target: string;
  readonly table: Table;
}

/**
 * Forward in chunks, then entry by entry up to the damage, and the same from the other end down to it. A damaged page
 * may also look like the end of a table (lmdb-js), so it is whole only when nothing is left for the way back.
 */
async function copyTable({ source, target, table }: Job): Promise<Copied> {
  const copy = async (way: 'forward' | 'back', floor: string): Promise<Part> => {
    let all: Part = { entries: 0, last: undefined, whole: false };
    for (const chunk of [CHUNK, 1]) {
      if (all.whole) break;
      const part = await copyInChild([source, target, table, way, String(chunk), all.last ?? '', floor]);
      all = { entries: all.entries + part.entries, last: part.last ?? all.last, whole: part.whole };
    }
    return all;
  };
  const forward = await copy('forward', '');
  const back = await copy('back', forward.last ?? '');
  return { table, entries: forward.entries + back.entries, whole: back.whole && back.entries === 0 };
}

const keyOf = (hex: string): Buffer | undefined => (hex === '' ? undefined : Buffer.from(hex, 'hex'));

interface Part {
  readonly entries: number;
  /** Hex of the last key that came over. */
  readonly last: string | undefined;
  readonly whole: boolean;
}

async function copyInChild(args: readonly string[]): Promise<Part> {
  const program = [...process.execArgv, process.argv[1]!, 'copy-part', ...args];
  const child = spawn(process.execPath, program, { stdio: ['ignore', 'pipe', 'ignore'] });
  const ended = new Promise<number | null>((done) => child.on('close', done));
  let [entries, last] = [0, undefined as string | undefined];
  for await (const line of createInterface(child.stdout)) {
    const [key, count] = line.split(' ');
    entries += Number(count);
    last = key;
  }
  return { entries, last, whole: (await ended) === 0 };
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
    .argument('<after>')
    .argument('<floor>')
    .action(exitingWith((...args: string[]) => copyHere(io, args)));

async function copyHere(
  io: Io,
  [source = '', dir = '', table, way, chunk, after = '', floor = '']: readonly string[],
): Promise<ExitCode> {
  try {
    const target = openLmdbKv({ dir, durability: 'sync' });
    const part = {
      table: table as Table,
      reverse: way === 'back',
      chunk: Number(chunk),
      after: keyOf(after),
      floor: keyOf(floor),
    };
    const told = (last: Buffer, count: number): void => void io.out(`${last.toString('hex')} ${count}\n`);
    await copyPart(openLmdbReader(source), target, part, told);
    await target.close();
    return 0;
  } catch {
    return 1;
  }
}
