/** A backup of a store, which is one snapshot and may be made beside a running server. */
import { existsSync, rmSync } from 'node:fs';
import { mkdir, open as openFile } from 'node:fs/promises';
import { join } from 'node:path';
import { open } from 'lmdb';
import { openLmdbKv, openLmdbReader, STORE_FILE } from './lmdb-kv.ts';
import { checkRoomForLock } from './store-file.ts';
import { markCopy } from './store-mark.ts';

/** In a data directory: where a smaller copy of the store is made. */
export const COMPACT_DIR = 'compact';

/**
 * Removes what a compact that was cut off has left, which may be as large as the store; says whether there was any. Only
 * for who has the lock of the directory: no other compact is under way then. Throws.
 */
export function removeCutCompact(dataDir: string): boolean {
  const work = join(dataDir, COMPACT_DIR);
  if (!existsSync(work)) return false;
  rmSync(work, { recursive: true, force: true });
  return true;
}

/** A copy that may be put in place of the store some day, when that has gone on: its first start knows. Throws as `copyStore`. */
export async function backupStore(dataDir: string, target: string): Promise<string> {
  const file = await copyStore(dataDir, target);
  const kv = openLmdbKv({ dir: target, durability: 'sync' });
  try {
    await markCopy(kv);
  } catch (error) {
    rmSync(file, { force: true });
    throw notMade(target, error);
  } finally {
    await kv.close();
  }
  return file;
}

/** Copies the store of a data directory into another directory, without the free pages. Throws; overwrites nothing. */
export async function copyStore(dataDir: string, target: string): Promise<string> {
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
    throw notMade(target, error);
  } finally {
    await env.close();
  }
  return file;
}

const notMade = (target: string, cause: unknown): Error =>
  new Error(`the copy in ${target} could not be made: ${(cause as Error).message}`, { cause });

async function sync(path: string): Promise<void> {
  const handle = await openFile(path, 'r');
  await handle.sync();
  await handle.close();
}
