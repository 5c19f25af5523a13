/**
 * The contract of src/queue/kv.ts as one suite. Whatever keeps it can stand under the queue.
 *
 * `Store` is a place that outlives one opening: a second `open` sees what was committed through the first.
 */
import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { type Entry, type Kv, MAX_KEY_BYTES, type Op, type RangeOptions } from '../../../src/queue/kv.ts';

export interface Store {
  open(): Kv;
  /** Frees what the store took; called once, with everything closed. */
  remove(): void;
}

const bytes = (...values: readonly number[]): Buffer => Buffer.from(values);
const put = (key: Buffer, value: Buffer | string): Op => ({ table: 'meta', key, value: Buffer.from(value) });
const remove = (key: Buffer): Op => ({ table: 'meta', key, value: undefined });
const hex = (entries: Iterable<Entry>): string[] => [...entries].map(({ key }) => key.toString('hex'));

/** Keys whose order tells bytes from characters, signed from unsigned and a prefix from what follows it. */
const KEYS = ['00', '0000', '0001', '01', '7f', '80', '8000', 'c3a9', 'ff', 'ff00', 'ffff'];

const RANGES: readonly { name: string; options: RangeOptions; expected: readonly string[] }[] = [
  { name: 'everything', options: {}, expected: KEYS },
  { name: 'start is included', options: { start: bytes(0x7f) }, expected: KEYS.slice(4) },
  { name: 'end is excluded', options: { end: bytes(0x7f) }, expected: KEYS.slice(0, 4) },
  { name: 'start and end', options: { start: bytes(0, 0), end: bytes(0x80) }, expected: KEYS.slice(1, 5) },
  {
    name: 'bounds that are no keys',
    options: { start: bytes(2), end: bytes(0xfe) },
    expected: KEYS.slice(4, 8),
  },
  { name: 'an empty range', options: { start: bytes(1), end: bytes(1) }, expected: [] },
  { name: 'a range upside down', options: { start: bytes(0x80), end: bytes(1) }, expected: [] },
  { name: 'a range past the end', options: { start: bytes(0xff, 0xff, 0) }, expected: [] },
  { name: 'a limit', options: { start: bytes(1), limit: 2 }, expected: KEYS.slice(3, 5) },
  { name: 'a limit beyond the end', options: { limit: 99 }, expected: KEYS },
  { name: 'a limit of none', options: { limit: 0 }, expected: [] },
  { name: 'reverse', options: { reverse: true }, expected: KEYS.toReversed() },
  {
    name: 'reverse with a limit starts at the end',
    options: { reverse: true, limit: 2 },
    expected: ['ffff', 'ff00'],
  },
  {
    name: 'reverse keeps start included',
    options: { reverse: true, start: bytes(0xff) },
    expected: ['ffff', 'ff00', 'ff'],
  },
  {
    name: 'reverse keeps end excluded',
    options: { reverse: true, end: bytes(1) },
    expected: ['0001', '0000', '00'],
  },
  {
    name: 'reverse with bounds that are no keys',
    options: { reverse: true, start: bytes(2), end: bytes(0xfe) },
    expected: KEYS.slice(4, 8).toReversed(),
  },
  {
    name: 'reverse with an end after the last key',
    options: { reverse: true, end: bytes(0xff, 0xff, 0), limit: 1 },
    expected: ['ffff'],
  },
  { name: 'reverse of an empty range', options: { reverse: true, end: bytes(0) }, expected: [] },
];

const INVALID: readonly { name: string; op: Op }[] = [
  { name: 'an empty key', op: put(Buffer.alloc(0), 'x') },
  { name: 'a key that is too long', op: put(Buffer.alloc(MAX_KEY_BYTES + 1, 1), 'x') },
  { name: 'the removal of a key that is too long', op: remove(Buffer.alloc(MAX_KEY_BYTES + 1, 1)) },
  { name: 'an unknown table', op: { ...put(bytes(9), 'x'), table: 'nothing' as Op['table'] } },
];

export function kvConformance(name: string, place: () => Store): void {
  const opened = (t: TestContext): Kv => {
    const store = place();
    const kv = store.open();
    t.after(async () => {
      await kv.close();
      store.remove();
    });
    return kv;
  };

  describe(`store contract: ${name}`, () => {
    test('a commit is visible when it has resolved, in all its tables', async (t) => {
      const kv = opened(t);
      await kv.commit([
        put(bytes(1), 'one'),
        { table: 'journal', key: bytes(1), value: Buffer.from('other') },
      ]);
      assert.equal(kv.get('meta', bytes(1))?.toString(), 'one');
      assert.equal(kv.get('journal', bytes(1))?.toString(), 'other');
      assert.equal(kv.get('queues', bytes(1)), undefined);
      assert.equal(kv.get('meta', bytes(2)), undefined);
    });

    for (const table of ['meta', 'schedule'] as const)
      test(`the operations of a commit on ${table} apply in their order`, async (t) => {
        const kv = opened(t);
        const commit = (...ops: Op[]): Promise<void> => kv.commit(ops.map((op) => ({ ...op, table })));
        await commit(put(bytes(2), 'a'), put(bytes(2), 'b'), remove(bytes(1)), put(bytes(1), 'kept'));
        await commit(put(bytes(3), 'gone'), remove(bytes(3)), put(bytes(2), 'c'), remove(bytes(9)));
        assert.equal(kv.get(table, bytes(2))?.toString(), 'c');
        assert.equal(kv.get(table, bytes(1))?.toString(), 'kept');
        assert.equal(kv.get(table, bytes(3)), undefined);
      });

    test('commits that overlap apply in the order in which they were made', async (t) => {
      const kv = opened(t);
      const commits = Array.from({ length: 20 }, (_, i) =>
        kv.commit([put(bytes(1), String(i)), put(bytes(2, i), 'x')]),
      );
      await Promise.all(commits);
      assert.equal(kv.get('meta', bytes(1))?.toString(), '19');
      assert.equal([...kv.range('meta', { start: bytes(2) })].length, 20);
    });

    for (const { name: what, op } of INVALID) {
      test(`${what} rejects the commit, and nothing of it is applied`, async (t) => {
        const kv = opened(t);
        await kv.commit([put(bytes(1), 'before'), put(bytes(2), 'before')]);
        const ops = [put(bytes(1), 'after'), remove(bytes(2)), op, put(bytes(3), 'after')];
        await assert.rejects(kv.commit(ops));
        await kv.commit([put(bytes(4), 'next')]);
        const entries = [...kv.range('meta', {})].map(({ value }) => value.toString());
        assert.deepEqual(entries, ['before', 'before', 'next']);
      });
    }

    test('the longest key and a value of many pages are kept', async (t) => {
      const kv = opened(t);
      const [key, value] = [Buffer.alloc(MAX_KEY_BYTES, 7), Buffer.alloc(300_000, 'content ')];
      await kv.commit([put(key, value)]);
      assert.ok(kv.get('meta', key)?.equals(value));
    });

    test('an empty value is a value', async (t) => {
      const kv = opened(t);
      await kv.commit([put(bytes(1), ''), put(bytes(2), 'full')]);
      assert.deepEqual(kv.get('meta', bytes(1)), Buffer.alloc(0));
      assert.deepEqual(
        [...kv.range('meta', {})].map(({ value }) => value.length),
        [0, 4],
      );
    });

    test('a commit without operations resolves', async (t) => {
      await opened(t).commit([]);
    });

    for (const { name: what, options, expected } of RANGES) {
      test(`range: ${what}`, async (t) => {
        const kv = opened(t);
        await kv.commit(KEYS.toReversed().map((key) => put(Buffer.from(key, 'hex'), key)));
        assert.deepEqual(hex(kv.range('meta', options)), expected);
        for (const { key, value } of kv.range('meta', options))
          assert.equal(value.toString(), key.toString('hex'));
      });
    }

    test('buffers that were returned stay as they are', async (t) => {
      const kv = opened(t);
      await kv.commit([put(bytes(1), 'first'), put(bytes(2), 'second')]);
      const [single, entries] = [kv.get('meta', bytes(1))!, [...kv.range('meta', {})]];
      kv.get('meta', bytes(2));
      await kv.commit([put(bytes(1), 'FIRST'), remove(bytes(2)), put(bytes(3), 'third')]);
      assert.equal(single.toString(), 'first');
      assert.deepEqual(
        entries.map(({ key, value }) => [key[0], value.toString()]),
        [
          [1, 'first'],
          [2, 'second'],
        ],
      );
      single.fill(0);
      assert.equal(kv.get('meta', bytes(1))?.toString(), 'FIRST');
    });

    test('a range that is left early does not disturb the next one', async (t) => {
      const kv = opened(t);
      await kv.commit(KEYS.map((key) => put(Buffer.from(key, 'hex'), key)));
      for (const { key } of kv.range('meta', {})) if (key.length > 1) break;
      assert.deepEqual(hex(kv.range('meta', { limit: 3 })), KEYS.slice(0, 3));
    });

    test('what was committed is there after closing and opening again', async (t) => {
      const store = place();
      t.after(() => store.remove());
      const first = store.open();
      await first.commit([put(bytes(1), 'kept'), put(bytes(2), 'gone')]);
      await first.commit([remove(bytes(2))]);
      await first.close();
      const second = store.open();
      assert.deepEqual(hex(second.range('meta', {})), ['01']);
      assert.equal(second.get('meta', bytes(1))?.toString(), 'kept');
      await second.close();
    });
  });
}
