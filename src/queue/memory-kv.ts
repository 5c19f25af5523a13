/**
 * The store without a disk: the same contract, for tests and as the plainest description of it.
 */
import { checkOps, type Entry, type Kv, type Op, type RangeOptions, type Table, TABLES } from './kv.ts';

interface MemoryTable {
  readonly values: Map<string, Buffer>;
  /** Sorted keys, made again when the table changed. */
  sorted: string[] | undefined;
}

const text = (key: Buffer): string => key.toString('latin1');

export function openMemoryKv(): Kv {
  const tables = new Map<Table, MemoryTable>(
    TABLES.map((name) => [name, { values: new Map<string, Buffer>(), sorted: undefined }]),
  );
  const apply = ({ table, key, value }: Op): void => {
    const target = tables.get(table)!;
    if (value === undefined ? target.values.delete(text(key)) : !target.values.has(text(key))) {
      target.sorted = undefined;
    }
    if (value !== undefined) target.values.set(text(key), Buffer.from(value));
  };
  function* range(table: Table, options: RangeOptions): Iterable<Entry> {
    const { values } = tables.get(table)!;
    const sorted = (tables.get(table)!.sorted ??= [...values.keys()].sort());
    const start = options.start === undefined ? undefined : text(options.start);
    const end = options.end === undefined ? undefined : text(options.end);
    const inside = sorted.filter(
      (key) => (start === undefined || key >= start) && (end === undefined || key < end),
    );
    if (options.reverse) inside.reverse();
    for (const key of inside.slice(0, options.limit)) {
      yield { key: Buffer.from(key, 'latin1'), value: Buffer.from(values.get(key)!) };
    }
  }
  return {
    get: (table, key) => {
      const value = tables.get(table)!.values.get(text(key));
      return value && Buffer.from(value);
    },
    range,
    commit: async (ops) => {
      checkOps(ops);
      await Promise.resolve();
      ops.forEach(apply);
    },
    bytes: () => 0,
    close: () => Promise.resolve(),
  };
}
