/**
 * Looks at the file of a store before LMDB does: lmdb-js ends the process when it has to refuse a file, and where pages
 * are missing the kernel does. Reads its first two pages, which each have a head: a mark, the last page that is used and
 * the number of the transaction.
 */
import { closeSync, existsSync, fstatSync, openSync, readSync, statfsSync } from 'node:fs';
import { dirname } from 'node:path';

const PAGE_BYTES = 4096;
const HEADS = 2;
/** LMDB's mark of a head (mdb.c: MDB_MAGIC), and what lies behind it (MDB_meta). */
const MAGIC = Buffer.from('dec0efbe', 'hex');
const LAST_PAGE_AT = 120;
const TRANSACTION_AT = 128;

/**
 * `missing`: there is none, or one whose making was cut off before anything could be stored. `short`: it ends before the
 * last page that is used, which need not be a damage: a page that was used and given back within one transaction is
 * never written.
 */
export type StoreFile = 'missing' | 'not a store' | 'short' | 'whole';

export function lookAtStore(file: string): StoreFile {
  if (!existsSync(file)) return 'missing';
  const heads = Buffer.alloc(HEADS * PAGE_BYTES);
  const fd = openSync(file, 'r');
  const read = readSync(fd, heads);
  const { size } = fstatSync(fd);
  closeSync(fd);
  if (size <= heads.length && heads.every((byte) => byte === 0)) return 'missing';
  const last = lastPage(heads);
  if (read < heads.length || last === undefined) return 'not a store';
  return size < (last + 1) * PAGE_BYTES ? 'short' : 'whole';
}

/** Of the newer head; undefined where one has none. */
function lastPage(heads: Buffer): number | undefined {
  let newest = { transaction: -1n, last: 0n };
  for (let at = 0; at < heads.length; at += PAGE_BYTES) {
    const page = heads.subarray(at, at + PAGE_BYTES);
    const mark = page.indexOf(MAGIC);
    if (mark < 0 || mark + TRANSACTION_AT + 8 > PAGE_BYTES) return undefined;
    const transaction = page.readBigUInt64LE(mark + TRANSACTION_AT);
    if (transaction > newest.transaction)
      newest = { transaction, last: page.readBigUInt64LE(mark + LAST_PAGE_AT) };
  }
  return Number(newest.last);
}

/** What the lock of a store needs, with room to spare. */
const LOCK_BYTES = 64 * 1024;

/**
 * The lock beside a store is memory that is mapped from a file: where a new one finds no room, the kernel ends the
 * process. Throws then.
 */
export function checkRoomForLock(file: string): void {
  if (existsSync(`${file}-lock`)) return;
  const dir = dirname(file);
  if (freeIn(dir) < LOCK_BYTES) throw new Error(`no space is left in ${dir}: make room`);
}

export function freeIn(dir: string): number {
  const { bavail, bsize } = statfsSync(dir);
  return bavail * bsize;
}
