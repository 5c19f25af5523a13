/**
 * One page of a store is damaged, each page in turn and in each way that a disk damages pages: what is not on that page,
 * nor found by it alone, comes over as it is, and what is missing is known to be.
 */
import fc from 'fast-check';
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { type Gap, Pages, type PageSource, type Snapshot } from '../../../src/cli/page-tree.ts';
import { openLmdbKv, openLmdbReader, STORE_FILE, type Table, TABLES } from '../../../src/queue/index.ts';
import { deliveryKey, numberKey } from '../../../src/queue/keys.ts';
import type { Op } from '../../../src/queue/kv.ts';

const PAGE = 4096;
/** In a head: number of the page that the list of tables begins with. */
const LIST_AT = 24 + 24 + 48 + 40;
const MESSAGES = 600;

/** Tables with the same keys, values of all sizes, and pages that were given back. */
async function makeStore(dir: string): Promise<void> {
  const kv = openLmdbKv({ dir, durability: 'process' });
  for (let from = 0; from < MESSAGES; from += 100) {
    const ops: Op[] = [];
    for (let number = from; number < from + 100; number++) {
      const value = Buffer.alloc(80 + ((number * 37) % 600), number);
      ops.push({ table: 'deliveries', key: deliveryKey(number, 1), value });
      ops.push({
        table: 'schedule',
        key: deliveryKey((number * 7919) % MESSAGES, 1),
        value: Buffer.alloc(0),
      });
      if (number % 9 === 0)
        ops.push({
          table: 'contents',
          key: numberKey(number),
          value: Buffer.alloc(500 * (number % 41), number),
        });
      if (number % 2 === 0) ops.push({ table: 'history', key: deliveryKey(number, 1), value });
      if (number % 3 === 0 && number > 300)
        ops.push({ table: 'deliveries', key: deliveryKey(number - 300, 1), value: undefined });
    }
    await kv.commit(ops);
  }
  // Alone in the last commit: of the one before all but this is the same.
  await kv.commit([{ table: 'meta', key: Buffer.of(1), value: Buffer.of(1) }]);
  await kv.close();
}

interface Read {
  readonly entries: ReadonlyMap<string, { readonly value: Buffer; readonly pages: readonly number[] }>;
  readonly gaps: number;
  /** As the store says, and as were found. */
  readonly expected: number;
  readonly found: number;
}

const sourceOf = (bytes: Buffer): PageSource => ({
  size: bytes.length,
  read: (at, length) => bytes.subarray(at, at + length),
  close: () => undefined,
});

interface Store {
  readonly snapshot: Snapshot;
  readonly behind: boolean;
  readonly tables: ReadonlyMap<Table, Read>;
}

function readAll(bytes: Buffer): Store {
  const pages = new Pages(sourceOf(bytes));
  const { snapshot, behind } = pages.newest()!;
  const tables = new Map<Table, Read>();
  for (const table of TABLES) {
    const tree = snapshot.tables.get(table);
    const gaps: Gap[] = [];
    const found = tree ? [...pages.entries(tree, (gap) => void gaps.push(gap))] : [];
    const entries = new Map(found.map(({ key, ...rest }) => [key.toString('hex'), rest]));
    tables.set(table, { entries, gaps: gaps.length, expected: tree?.entries ?? 0, found: found.length });
  }
  return { snapshot, behind, tables };
}

describe('a store read page by page', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'postrider-pages-'));
  after(() => rmSync(dir, { recursive: true }));
  await makeStore(dir);
  const file = join(dir, STORE_FILE);
  const whole = readFileSync(file);
  const sound = readAll(whole);
  const count = whole.length / PAGE;

  test('has what LMDB reads', async () => {
    const kv = openLmdbReader(file);
    for (const [table, { entries, gaps, expected }] of sound.tables) {
      const stored = [...kv.range(table, {})];
      assert.deepEqual(
        [...entries.keys()],
        stored.map(({ key }) => key.toString('hex')),
      );
      assert.deepEqual(
        [...entries.values()].map(({ value }) => value),
        stored.map(({ value }) => value),
      );
      assert.deepEqual([gaps, expected], [0, stored.length], table);
    }
    await kv.close();
    const sizes = (['deliveries', 'contents', 'history'] as const).map(
      (table) => sound.tables.get(table)!.found,
    );
    assert.deepEqual(sizes, [501, 67, 300]);
    const levels = sound.snapshot.tables.get('deliveries')!.depth;
    assert.ok(levels > 1 && count > 150, `${levels} levels, ${count} pages`);
  });

  function withPage(number: number, page: Buffer): Buffer {
    const bytes = Buffer.from(whole);
    page.copy(bytes, number * PAGE);
    return bytes;
  }

  /** Reads it with these bytes in the place of a page; gives what was missing where it had to be there. */
  function lostBeside(damaged: number, page: Buffer): string[] {
    const { tables } = readAll(withPage(damaged, page));
    const lost: string[] = [];
    for (const [table, { entries }] of sound.tables) {
      if (table === 'meta') continue;
      const read = tables.get(table)!;
      const missing = [...entries].filter(([key]) => !read.entries.has(key));
      for (const [key, { value, pages }] of entries)
        if (!pages.includes(damaged) && read.entries.get(key)?.value.equals(value) !== true)
          lost.push(`${table} ${key}`);
      const told = read.gaps > 0 || read.found !== read.expected;
      // A key that is another one now and still in its order looks like any other.
      const strange = [...read.entries.keys()].filter((key) => !entries.has(key));
      if (missing.length > strange.length && !told) lost.push(`${table}: ${missing.length} in silence`);
    }
    return lost;
  }

  const pageAt = (number: number): Buffer => Buffer.from(whole.subarray(number * PAGE, (number + 1) * PAGE));

  for (const [name, damage] of Object.entries({
    'of zeros': () => Buffer.alloc(PAGE),
    'of ones': () => Buffer.alloc(PAGE, 0xff),
    'that is the one before it': (number: number) => pageAt((number + count - 1) % count),
    'whose second half was not written': (number: number) =>
      Buffer.concat([pageAt(number).subarray(0, PAGE / 2), Buffer.alloc(PAGE / 2)]),
    'whose first half is that of another one': (number: number) =>
      Buffer.concat([pageAt((number * 31) % count).subarray(0, PAGE / 2), pageAt(number).subarray(PAGE / 2)]),
  }))
    test(`loses nothing beside a page ${name}, wherever it is`, () => {
      for (let number = 0; number < count; number++)
        assert.deepEqual(lostBeside(number, damage(number)), [], `page ${number} of ${count}`);
    });

  test('loses nothing beside flipped bits and rubbish on a page', () => {
    const rubbish = fc.record({
      number: fc.nat(count - 1),
      at: fc.oneof(fc.nat(PAGE - 1), fc.nat(200)),
      bytes: fc.uint8Array({ minLength: 1, maxLength: 64 }),
    });
    const property = fc.property(rubbish, ({ number, at, bytes }) => {
      const page = pageAt(number);
      for (const [i, byte] of bytes.entries()) if (at + i < PAGE) page[at + i]! ^= byte;
      assert.deepEqual(lostBeside(number, page), []);
    });
    fc.assert(property, { numRuns: Number(process.env['MODEL_RUNS'] ?? 500) });
  });

  test('without its newest head, or its list of tables, is that of one commit before, whole', () => {
    const { transaction } = sound.snapshot;
    const head = Number(transaction % 2n);
    const list = Number(whole.readBigUInt64LE(head * PAGE + LIST_AT));
    for (const page of [head, list]) {
      const { snapshot, behind, tables } = readAll(withPage(page, Buffer.alloc(PAGE)));
      assert.deepEqual([behind, snapshot.transaction], [true, transaction - 1n], `page ${page}`);
      for (const [table, { found, expected, gaps }] of tables) {
        const before = table === 'meta' ? 0 : sound.tables.get(table)!.found;
        assert.deepEqual([found, expected, gaps], [before, before, 0], table);
      }
    }
    assert.equal(sound.behind, false);
  });

  test('that is shorter than it was has what is left', () => {
    for (const part of [0.9, 0.5, 0.1, 0.01, 0]) {
      const pages = new Pages(sourceOf(whole.subarray(0, Math.floor(whole.length * part))));
      const newest = pages.newest();
      for (const tree of newest?.snapshot.tables.values() ?? [])
        assert.ok([...pages.entries(tree, () => undefined)].length <= tree.entries);
      assert.equal(newest === undefined, part === 0);
    }
  });
});
