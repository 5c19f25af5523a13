/**
 * The store on LMDB. One commit is one `batch` of lmdb-js, which is one transaction, synced before it resolves: an
 * awaited put alone promises visibility, so `flushed` is awaited as well. The next commit is only made when the one
 * before has ended, so nothing is gained by overlapping syncs (measured: 11,481/s against 12,327/s at 20 messages a
 * commit) and they are off.
 *
 * The map grows by itself. Never call `process.exit` or end a worker with a commit under way: close first.
 */
import {
  type Database,
  open,
  type RootDatabase,
  type RootDatabaseOptionsWithPath,
  TransactionFlags,
} from 'lmdb';
import { closeSync, fsyncSync, openSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { checkOps, type Kv, type Op, type Table, TABLES } from './kv.ts';
import { checkRoomForLock, lookAtStore } from './store-file.ts';

export type Durability = 'sync' | 'process';

export type OpenEnv = (options: RootDatabaseOptionsWithPath) => RootDatabase;

export interface LmdbOptions {
  /** Existing directory; the environment is the file `queue.mdb` in it. */
  readonly dir: string;
  /** `sync`: survives a power cut. `process`: survives the death of the process only. */
  readonly durability: Durability;
}

/** Missing in the types of lmdb-js, and described in its README: how many operations wait until it starts to write. */
interface AtOnce {
  readonly txnStartThreshold: number;
}

/** In the list of tables, which is a table itself, there is none of that name. */
const NO_TABLE = '-';

/**
 * Keys and values are bytes. lmdb-js reads them into a buffer that the next read writes over; copied by itself each would
 * have memory of its own, which takes as long to be made and collected as all else that is done with a small value.
 */
const BINARY = {
  encoding: 'binary',
  cache: false,
  keyEncoder: {
    writeKey: (key: Buffer, target: Buffer, start: number): number => {
      target.set(key, start);
      return start + key.length;
    },
    readKey: (source: Buffer, start: number, end: number): Buffer => copied(source, start, end),
  },
  encoder: {
    encode: (value: Buffer): Buffer => value,
    decode: (source: Buffer, length = source.length): Buffer => copied(source, 0, length),
  },
} as const;

function copied(source: Buffer, start: number, end: number): Buffer {
  const copy = Buffer.allocUnsafe(end - start);
  source.copy(copy, 0, start, end);
  return copy;
}

/** Name of the environment in a data directory. */
export const STORE_FILE = 'queue.mdb';

/**
 * Opens the environment. Throws what LMDB says when the file cannot be opened. `openEnv` is a seam for the tests, which
 * watch that `flushed` is awaited.
 */
export function openLmdbKv(options: LmdbOptions, openEnv: OpenEnv = open): Kv {
  const path = join(options.dir, STORE_FILE);
  refuseOthers(path);
  if (lookAtStore(path) === 'missing') rmSync(path, { force: true });
  checkRoomForLock(path);
  const settings: RootDatabaseOptionsWithPath & AtOnce = {
    path,
    noSubdir: true,
    maxDbs: TABLES.length + 4,
    overlappingSync: false,
    noSync: options.durability === 'process',
    eventTurnBatching: false,
    txnStartThreshold: 1,
  };
  const env: RootDatabase = openEnv(settings);
  const tables = openTables(env);
  if (options.durability === 'sync') syncDirectory(options.dir);
  // A failed write also rejects a promise of lmdb-js that it gives to nobody; unhandled, it would end the process.
  env.on('aftercommit', () => void env.committed.then(undefined, () => undefined));
  const commit = async (ops: readonly Op[]): Promise<void> => {
    checkOps(ops); // lmdb-js throws at a bad key, but what was put before it in the turn would be written
    const written = [
      env.batch(() => {
        for (const { table, key, value } of inWritingOrder(ops)) {
          const target = tables.get(table)!;
          void (value === undefined ? target.remove(key) : target.put(key, value));
        }
      }),
      // lmdb-js starts to write at its second operation, or else when all other events of the turn were handled.
      env.remove(NO_TABLE),
    ];
    try {
      await Promise.all(written);
      if (options.durability === 'sync') await env.flushed;
    } catch (error) {
      throw await reasonOf(error);
    }
  };
  return {
    ...reading(tables),
    commit,
    bytes: () => statSync(path).size,
    close: () => env.close(),
  };
}

/** In one transaction: each table that is new would else have a sync of its own, a minute in all where a sync takes two seconds. */
const openTables = (env: RootDatabase): Map<Table, Database<Buffer, Buffer>> =>
  env.transactionSync(
    () => new Map(TABLES.map((name) => [name, env.openDB<Buffer, Buffer>({ name, ...BINARY })])),
    TransactionFlags.SYNCHRONOUS_COMMIT,
  );

/**
 * Opens an environment, which a server may have open too, for reading only; walks that do not pause read one snapshot.
 * Tables that a store of another version does not have are empty. Throws when there is none.
 */
export function openLmdbReader(file: string): Kv {
  refuseOthers(file);
  if (lookAtStore(file) === 'missing') throw new Error(`there is no store ${file}`);
  checkRoomForLock(file);
  const env = open({ path: file, noSubdir: true, maxDbs: TABLES.length + 4, readOnly: true });
  const tables = new Map<Table, Database<Buffer, Buffer>>();
  for (const name of TABLES) {
    const table = env.openDB<Buffer, Buffer>({ name, ...BINARY }) as Database<Buffer, Buffer> | undefined;
    if (table) tables.set(name, table);
  }
  return {
    ...reading(tables),
    commit: () => Promise.reject(new Error('the store is open for reading only')),
    bytes: () => statSync(file).size,
    close: () => env.close(),
  };
}

/**
 * Slots have random keys, so each is on a page of its own: in the order of their keys these pages are made, and so
 * written, next to each other, which halves the writes of a large batch. What is done to one key stays in its order.
 */
function inWritingOrder(ops: readonly Op[]): Op[] {
  const [slots, others]: [Op[], Op[]] = [[], []];
  for (const op of ops) (op.table === 'schedule' ? slots : others).push(op);
  slots.sort((a, b) => a.key.compare(b.key));
  return others.concat(slots);
}

/** The name of a new file is durable too. */
function syncDirectory(dir: string): void {
  const fd = openSync(dir, 'r');
  fsyncSync(fd);
  closeSync(fd);
}

/** lmdb-js would end the process when it has to refuse a file. */
function refuseOthers(file: string): void {
  if (lookAtStore(file) === 'not a store')
    throw new Error(
      `${file} is not a store: it has no head. Put a backup in its place, or move it away and begin with an empty queue`,
    );
}

function reading(tables: ReadonlyMap<Table, Database<Buffer, Buffer>>): Pick<Kv, 'get' | 'range'> {
  return {
    get: (table, key) => {
      const found = tables.get(table)?.getBinaryFast(key);
      return found && copied(found, 0, found.length);
    },
    *range(table, { start, end, limit, reverse }) {
      const bounds = reverse
        ? { start: end, end: start, exclusiveStart: true, inclusiveEnd: true }
        : { start, end };
      const cursor = tables
        .get(table)
        ?.getRange({ ...bounds, reverse: reverse ?? false, ...(limit === undefined ? {} : { limit }) });
      for (const { key, value } of cursor ?? []) yield { key, value };
    },
  };
}

/**
 * What LMDB said of a write that failed (no space, an I/O error): lmdb-js tells it by a second promise, with pages and
 * sizes behind it.
 */
async function reasonOf(error: unknown): Promise<Error> {
  const { commitError } = error as { readonly commitError?: Promise<never> };
  const reason: unknown = commitError ? await commitError.catch((cause: unknown) => cause) : error;
  const [said] = (reason as Error).message.split(': ', 1);
  return new Error(said, { cause: reason });
}
