/**
 * Copies of a store: a backup, which is one snapshot and may be made beside a running server, and what can be salvaged
 * from a damaged one, table by table.
 */
import { existsSync, rmSync } from 'node:fs';
import { mkdir, open as openFile } from 'node:fs/promises';
import { join } from 'node:path';
import { open } from 'lmdb';
import { keyAfter } from './keys.ts';
import type { Entry, Kv, Op, Table } from './kv.ts';
import { openLmdbReader, STORE_FILE } from './lmdb-kv.ts';
import { checkRoomForLock } from './store-file.ts';

/** Copies the store of a data directory into another directory, without the free pages. Throws; overwrites nothing. */
export async function backupStore(dataDir: string, target: string): Promise<string> {
  const file = join(target, STORE_FILE);
  if (existsSync(file)) throw new Error(`${file} exists; name a directory without a store`);
  await mkdir(target, { recursive: true, mode: 0o750 });
  checkRoomForLock(file);
  const source = join(dataDir, STORE_FILE);
  await openLmdbReader(source).close(); // says what is wrong with the file, where lmdb-js would end the process
  const env = open({ path: source, noSubdir: true, readOnly: true });
  try {
    await env.backup(file, true);
    for (const path of [file, target]) await sync(path);
  } catch (error) {
    rmSync(file, { force: true });
    throw new Error(`the copy in ${target} could not be made: ${(error as Error).message}`, { cause: error });
  } finally {
    await env.close();
  }
  return file;
}

async function sync(path: string): Promise<void> {
  const handle = await openFile(path, 'r');
  await handle.sync();
  await handle.close();
}

/** A part of a table to copy: what lies between two keys, both excluded, from its beginning or from its end. */
export interface Part {
  readonly table: Table;
  readonly reverse: boolean;
  readonly low?: Buffer | undefined;
  readonly high?: Buffer | undefined;
  /** Entries of one commit; what was read and not committed is lost with a process that dies. */
  readonly chunk: number;
}

export interface PartProgress {
  /** The first entry was read. Told once. */
  readonly read: () => void;
  /** So many are durable, this key is the last of them. */
  readonly copied: (last: Buffer, count: number) => void;
}

/**
 * Copies a part until its end, or until reading it ends the process. Throws where the table goes on behind that: a damaged
 * page may look like the end of a table (lmdb-js).
 */
export async function copyPart(source: Kv, target: Kv, part: Part, progress: PartProgress): Promise<void> {
  const { table, reverse, low, high, chunk } = part;
  const bounds = { ...(low && { start: keyAfter(low) }), ...(high && { end: high }) };
  let ops: Op[] = [];
  const flush = async (last: Buffer): Promise<void> => {
    await target.commit(ops);
    progress.copied(last, ops.length);
    ops = [];
  };
  let last: Entry | undefined;
  for (const entry of source.range(table, { ...bounds, reverse })) {
    if (!last) progress.read();
    last = entry;
    ops.push({ table, ...entry });
    if (ops.length >= chunk) await flush(entry.key);
  }
  if (last && ops.length > 0) await flush(last.key);
  if (reverse || high) return;
  for (const { key } of source.range(table, { reverse: true, limit: 1 }))
    if (!(last?.key ?? low)?.equals(key)) throw new Error(`${table} goes on behind what looks like its end`);
}

/** A key about half-way between two keys; undefined when none of their length lies between them. */
export function keyBetween(low: Buffer, high: Buffer): Buffer | undefined {
  const length = Math.max(low.length, high.length);
  const valueOf = (key: Buffer): bigint =>
    BigInt(`0x0${Buffer.concat([key, Buffer.alloc(length - key.length)]).toString('hex')}`);
  const middle = (valueOf(low) + valueOf(high)) / 2n;
  if (middle <= valueOf(low)) return undefined;
  return Buffer.from(middle.toString(16).padStart(2 * length, '0'), 'hex');
}
