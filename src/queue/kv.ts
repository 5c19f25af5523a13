/**
 * The small store under the queue: ordered byte tables and one atomic, durable write.
 *
 * Contract, kept by every implementation (test/unit/queue/kv-conformance.ts):
 * - `commit` applies all operations or none, in order, and resolves only when they are as durable as the store was
 *   opened for. A rejected commit changed nothing.
 * - A read after a resolved commit sees it; a read never sees a part of one.
 * - Keys are ordered as unsigned bytes. Buffers given to `commit` are not touched by the caller until it resolves;
 *   buffers returned belong to the caller.
 */
export const TABLES = [
  'meta',
  'queues',
  'messages',
  'contents',
  'deliveries',
  'recipients',
  'history',
  'schedule',
  'slot_log',
  'leases',
  'journal',
  'totals',
  'rows',
  'limits',
  'answers',
  'lines',
  'stop_list',
  'inbox',
  'quarantine',
  'inbound_mail',
  'early_reports',
  'splits',
  'policies',
  'holds',
  'jobs',
  'job_domains',
  'controls',
  'operator_log',
  'damaged',
] as const;
export type Table = (typeof TABLES)[number];

/** Longest key; what LMDB takes with pages of 4 KB. */
export const MAX_KEY_BYTES = 1978;

/** One write; a value of undefined removes the key. */
export interface Op {
  readonly table: Table;
  readonly key: Buffer;
  readonly value: Buffer | undefined;
}

export interface RangeOptions {
  /** First key, included. */
  readonly start?: Buffer;
  /** Last key, excluded. */
  readonly end?: Buffer;
  readonly limit?: number;
  /** From the end towards the start; `start` and `end` keep their meaning as bounds. */
  readonly reverse?: boolean;
}

export interface Entry {
  readonly key: Buffer;
  readonly value: Buffer;
}

export interface Kv {
  get(table: Table, key: Buffer): Buffer | undefined;
  range(table: Table, options: RangeOptions): Iterable<Entry>;
  commit(ops: readonly Op[]): Promise<void>;
  /** Bytes that a commit may write beyond what it has to; where it is not known, any number. */
  spare?(): number;
  /** Bytes in use on disk (or in memory). */
  bytes(): number;
  close(): Promise<void>;
}

const KNOWN: ReadonlySet<string> = new Set(TABLES);

/** Throws when a store could not take one of the operations, before any of them is under way. */
export function checkOps(ops: readonly Op[]): void {
  for (const { table, key } of ops) {
    if (!KNOWN.has(table)) throw new RangeError(`there is no table ${table}`);
    if (key.length === 0 || key.length > MAX_KEY_BYTES)
      throw new RangeError(
        `a key of ${key.length} bytes in table ${table}; 1 to ${MAX_KEY_BYTES} are possible`,
      );
  }
}
