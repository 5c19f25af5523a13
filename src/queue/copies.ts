/**
 * Copies of a store: a backup, which is one snapshot and may be made beside a running server, and what can be salvaged
 * from a damaged one, table by table.
 */
import { existsSync } from 'node:fs';
import { mkdir, open as openFile } from 'node:fs/promises';
import { join } from 'node:path';
import { open } from 'lmdb';
import type { Entry, Kv, Op, Table } from './kv.ts';
import { openLmdbReader, STORE_FILE } from './lmdb-kv.ts';

/** Copies the store of a data directory into another directory, without the free pages. Throws; overwrites nothing. */
export async function backupStore(dataDir: string, target: string): Promise<string> {
  const file = join(target, STORE_FILE);
  if (existsSync(file)) throw new Error(`${file} exists; name a directory without a store`);
  await mkdir(target, { recursive: true, mode: 0o750 });
  const source = join(dataDir, STORE_FILE);
  await openLmdbReader(source).close(); // says what is wrong with the file, where lmdb-js would end the process
  const env = open({ path: source, noSubdir: true, readOnly: true });
  try {
    await env.backup(file, true);
  } finally {
    await env.close();
  }
  for (const path of [file, target]) await sync(path);
  return file;
}

async function sync(path: string): Promise<void> {
  const handle = await openFile(path, 'r');
  await handle.sync();
  await handle.close();
}

/** A part of a table to copy: from one end of it, after the last key that came over before. */
export interface Part {
  readonly table: Table;
  readonly reverse: boolean;
  readonly after?: Buffer | undefined;
  /** From the end: down to this key, which has come over. */
  readonly floor?: Buffer | undefined;
  /** Entries of one commit; what was read and not committed is lost with a process that dies. */
  readonly chunk: number;
}

/** Copies a part until its end, or until reading it ends the process; tells the last key of each durable chunk. */
export async function copyPart(
  source: Kv,
  target: Kv,
  part: Part,
  copied: (last: Buffer, count: number) => void,
): Promise<void> {
  const { table, reverse, after, floor, chunk } = part;
  const low = reverse ? floor : after;
  const bounds = {
    ...(low && { start: Buffer.concat([low, Buffer.of(0)]) }),
    ...(reverse && after && { end: after }),
  };
  let ops: Op[] = [];
  const flush = async (last: Buffer): Promise<void> => {
    await target.commit(ops);
    copied(last, ops.length);
    ops = [];
  };
  let last: Entry | undefined;
  for (const entry of source.range(table, { ...bounds, reverse })) {
    last = entry;
    ops.push({ table, ...entry });
    if (ops.length >= chunk) await flush(entry.key);
  }
  if (last && ops.length > 0) await flush(last.key);
}
