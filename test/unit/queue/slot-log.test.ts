/** Slots as a log and a table look like the table alone, whatever is done to them and whenever it is opened again. */
import fc from 'fast-check';
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { openLmdbKv, openMemoryKv } from '../../../src/queue/index.ts';
import { numberKey, slotBound, slotKey } from '../../../src/queue/keys.ts';
import type { Entry, Kv, Op, RangeOptions } from '../../../src/queue/kv.ts';
import { type SlotBounds, SlotLog } from '../../../src/queue/slot-log.ts';
import { FaultyKv } from './fixture.ts';
import { kvConformance } from './kv-conformance.ts';

/** So small that a few slots fold queues and end rounds. */
const SMALL: SlotBounds = { pending: 4, logged: 16, groups: 6, many: 4, slice: 2 };

kvConformance('slots in a log, memory', () => {
  const kv = openMemoryKv();
  return { open: () => new SlotLog(kv), remove: () => undefined };
});
kvConformance('slots in a log, LMDB', () => {
  const dir = mkdtempSync(join(tmpdir(), 'postrider-slots-'));
  return {
    open: () => new SlotLog(openLmdbKv({ dir, durability: 'process' }), SMALL),
    remove: () => rmSync(dir, { recursive: true, force: true }),
  };
});

const NOTHING = Buffer.alloc(0);
const add = (key: Buffer): Op => ({ table: 'schedule', key, value: NOTHING });
const take = (key: Buffer): Op => ({ table: 'schedule', key, value: undefined });
const slot = (queueId: number, number: number, wakeAt = 1): Buffer =>
  slotKey({ queueId, wakeAt, number, index: 1 });
const hex = (entries: Iterable<Entry>): string[] => [...entries].map(({ key }) => key.toString('hex'));
const groups = (kv: Kv): number => [...kv.range('slot_log', {})].length;

const keys = fc
  .record({
    queueId: fc.integer({ min: 1, max: 4 }),
    wakeAt: fc.integer({ min: 1, max: 3 }),
    number: fc.integer({ min: 1, max: 3 }),
    index: fc.integer({ min: 1, max: 2 }),
  })
  .map(slotKey);
const bounds = fc
  .tuple(fc.integer({ min: 0, max: 5 }), fc.integer({ min: 0, max: 4 }))
  .map(([id, at]) => slotBound(id, at));
/** As a queue is asked for what is due. */
const ofOneQueue: fc.Arbitrary<RangeOptions> = fc
  .record({
    id: fc.integer({ min: 1, max: 4 }),
    end: fc.integer({ min: 1, max: 4 }),
    limit: fc.integer({ min: 1, max: 3 }),
  })
  .map(({ id, end, limit }) => ({ start: slotBound(id, 0), end: slotBound(id, end), limit }));
const anyRange: fc.Arbitrary<RangeOptions> = fc.record(
  {
    start: fc.oneof(bounds, keys),
    end: fc.oneof(bounds, keys),
    limit: fc.integer({ min: 0, max: 5 }),
    reverse: fc.boolean(),
  },
  { requiredKeys: [] },
);
const steps = fc.array(
  fc.record({
    ops: fc.array(
      fc.tuple(keys, fc.boolean()).map(([key, adds]) => (adds ? add(key) : take(key))),
      {
        maxLength: 8,
      },
    ),
    what: fc.constantFrom('commit', 'commit', 'commit', 'fail', 'reopen'),
    range: fc.oneof(anyRange, ofOneQueue),
  }),
  { maxLength: 40 },
);

describe('the log of slots', () => {
  test('looks like the table alone', async () => {
    const property = fc.asyncProperty(steps, async (all) => {
      const [base, plain] = [new FaultyKv(openMemoryKv()), openMemoryKv()];
      let kv = new SlotLog(base, SMALL);
      for (const { ops, what, range } of all) {
        if (what === 'reopen') kv = new SlotLog(base, SMALL);
        base.failures = what === 'fail' ? 1 : 0;
        const done = await kv.commit(ops).then(
          () => true,
          () => false,
        );
        base.failures = 0;
        if (done) await plain.commit(ops);
        for (const view of [kv, new SlotLog(base, SMALL)]) {
          assert.deepEqual(hex(view.range('schedule', {})), hex(plain.range('schedule', {})));
          assert.deepEqual(hex(view.range('schedule', range)), hex(plain.range('schedule', range)));
          for (const { key } of ops)
            assert.deepEqual(view.get('schedule', key), plain.get('schedule', key), key.toString('hex'));
        }
      }
    });
    await fc.assert(property, { numRuns: Number(process.env['MODEL_RUNS'] ?? 300) });
  });

  test('a slot that is taken before it is folded never gets to the table', async () => {
    const base = openMemoryKv();
    const written: Op[] = [];
    const commit = (ops: readonly Op[]): Promise<void> => (written.push(...ops), base.commit(ops));
    const kv = new SlotLog({ ...base, commit }, SMALL);
    for (let i = 1; i <= 100; i++) {
      await kv.commit([add(slot(i % 3, i))]);
      await kv.commit([take(slot(i % 3, i))]);
    }
    assert.deepEqual(
      written.filter(({ table }) => table === 'schedule'),
      [],
    );
    assert.ok(groups(base) <= 2);
  });

  test('a queue that gets many slots is folded at once, and what it had with it', async () => {
    const base = openMemoryKv();
    const kv = new SlotLog(base, SMALL);
    await kv.commit([add(slot(1, 1)), add(slot(2, 1))]);
    assert.equal(hex(base.range('schedule', {})).length, 0);
    await kv.commit([add(slot(1, 2)), add(slot(1, 3)), take(slot(1, 1)), add(slot(1, 4))]);
    assert.deepEqual(
      hex(base.range('schedule', {})),
      [2, 3, 4].map((number) => slot(1, number).toString('hex')),
    );
    assert.equal(hex(new SlotLog(base, SMALL).range('schedule', {})).length, 4);
  });

  test('after a commit that failed the next ones write no more than what they are about', async () => {
    const base = openMemoryKv();
    let [room, most] = [Infinity, 0];
    const commit = (ops: readonly Op[]): Promise<void> => {
      most = Math.max(most, ops.length);
      return ops.length > room ? Promise.reject(new Error('the disk is full')) : base.commit(ops);
    };
    const kv = new SlotLog({ ...base, commit }, SMALL);
    for (let i = 1; i <= 4; i++) await kv.commit([add(slot(i, 1))]);
    room = 2;
    const more = (i: number): Promise<void> => kv.commit([add(slot(1, i)), take(slot(1, i - 1))]);
    await kv.commit([add(slot(5, 1))]);
    await assert.rejects(more(2));
    for (let i = 2; i <= 30; i++) await more(i);
    room = Infinity;
    most = 0;
    for (let i = 31; i <= 100; i++) await more(i);
    assert.ok(most > 2, 'it is folded again');
    assert.deepEqual(
      hex(kv.range('schedule', {})),
      [slot(1, 100), ...[2, 3, 4, 5].map((id) => slot(id, 1))].map((key) => key.toString('hex')),
    );
  });

  test('where room is short no more is folded than fits, and nothing is lost by it', async () => {
    const property = fc.asyncProperty(fc.array(fc.tuple(keys, fc.nat(6)), { maxLength: 60 }), async (all) => {
      const [base, plain] = [openMemoryKv(), openMemoryKv()];
      let room = 0;
      const commit = (ops: readonly Op[]): Promise<void> => {
        const folded = ops.filter(({ table }) => table === 'schedule').length;
        assert.ok(folded <= room, `${folded} slots where ${room} fit`);
        return base.commit(ops);
      };
      const kv = new SlotLog({ ...base, commit, spare: () => room * 8_192 + 8_191 }, SMALL);
      for (const [key, spare] of all) {
        room = spare;
        const twin = slot(5, spare);
        const ops = plain.get('schedule', key) ? [take(key), add(twin)] : [add(key), take(twin)];
        for (const store of [kv, plain]) await store.commit(ops);
        for (const view of [kv, new SlotLog(base, SMALL)])
          assert.deepEqual(hex(view.range('schedule', {})), hex(plain.range('schedule', {})));
      }
      room = Infinity;
      for (let i = 0; i < 20; i++) await kv.commit([add(slot(20 + i, 1))]);
      assert.ok(groups(base) <= 2 * SMALL.groups, 'what was left for later is done');
    });
    await fc.assert(property, { numRuns: Number(process.env['MODEL_RUNS'] ?? 300) });
  });

  test('neither what is pending nor the log grows with what is stored', async () => {
    const base = openMemoryKv();
    let kv = new SlotLog(base, SMALL);
    for (let i = 1; i <= 500; i++) {
      if (i % 100 === 0) kv = new SlotLog(base, SMALL);
      await kv.commit([add(slot(i % 7, i)), add(slot(i % 5, 1_000 + i))]);
      assert.ok(groups(base) <= 2 * SMALL.groups, `${groups(base)} groups after ${i} commits`);
      const stored = hex(base.range('schedule', {})).length;
      assert.ok(2 * i - stored <= 2 * SMALL.pending, `${stored} of ${2 * i} are in the table`);
    }
    assert.equal(hex(kv.range('schedule', {})).length, 1_000);
  });

  for (const [name, bounds] of Object.entries({
    slots: { ...SMALL, pending: 100, groups: 1_000 },
    groups: { ...SMALL, pending: 100, logged: 1_000 },
  }))
    test(`a log of many ${name} is ended, though few are pending`, async () => {
      const base = openMemoryKv();
      const kv = new SlotLog(base, bounds);
      await kv.commit([add(slot(9, 1))]);
      for (let i = 1; i <= 100; i++) {
        await kv.commit([add(slot(i % 3, i))]);
        await kv.commit([take(slot(i % 3, i))]);
        assert.ok(groups(base) <= 40, `${groups(base)} groups after ${i} times`);
      }
      assert.deepEqual(hex(kv.range('schedule', {})), [slot(9, 1).toString('hex')]);
    });
});

test('a slot that came and went, and comes back with a fold of its queue, is there after a restart', async () => {
  const base = openMemoryKv();
  const log = new SlotLog(base, SMALL);
  const keys = [1, 2, 3, 4].map((number) => slot(7, number));
  await log.commit([add(keys[0]!), add(slot(8, 9))]);
  await log.commit([take(keys[0]!)]);
  await log.commit(keys.map(add));
  assert.ok([...base.range('schedule', {})].length >= 4, 'it was folded');
  assert.deepEqual(hex(new SlotLog(base, SMALL).range('schedule', {})), hex(log.range('schedule', {})));
});

test('a group whose number cannot be is damage, and not a reason to look for all those before it', async () => {
  const kv = openMemoryKv();
  await new SlotLog(kv).commit([add(slot(1, 1))]);
  const far = numberKey(2 ** 40);
  await kv.commit([{ table: 'slot_log', key: far, value: NOTHING }]);
  const again = new SlotLog(kv);
  assert.deepEqual(again.damaged, [`group ${2 ** 40}`]);
  assert.deepEqual(hex(again.range('schedule', {})), [slot(1, 1).toString('hex')]);
});

/** Groups of a log in the order of a page on which a key is damaged; what is written stands behind them. */
function outOfOrder(kv: Kv, groups: readonly Entry[]): Kv {
  let stuck = [...groups];
  const range: Kv['range'] = (table, options) =>
    table === 'slot_log' ? [...stuck, ...kv.range(table, options)] : kv.range(table, options);
  const commit = async (ops: readonly Op[]): Promise<void> => {
    await kv.commit(ops);
    // A key is found, and so removed, only where it stands in its order.
    const gone = new Set(ops.filter(({ value }) => !value).map(({ key }) => key.toString('hex')));
    stuck = stuck.filter(
      ({ key }, i) => !gone.has(key.toString('hex')) || (stuck[i + 1] && stuck[i + 1]!.key.compare(key) < 0),
    );
  };
  return { ...kv, range, commit };
}

test('a damaged log begins anew, is named once whatever key is damaged, and what follows is read', async () => {
  const property = fc.asyncProperty(
    fc.nat(5),
    fc.nat(63),
    fc.array(fc.tuple(keys, fc.boolean()), { maxLength: 6 }),
    async (which, bit, later) => {
      const whole = openMemoryKv();
      const before = new SlotLog(whole);
      for (let i = 1; i <= 6; i++) await before.commit([add(slot(i, 1)), add(slot(9, i))]);
      const groups = [...whole.range('slot_log', {})];
      const { key } = groups[which]!;
      key[bit >> 3]! ^= 1 << (bit & 7);
      const base = outOfOrder(openMemoryKv(), groups);
      const log = new SlotLog(base);
      assert.ok(log.damaged.length > 0);
      await log.commit(keysOf(log).map(take)); // as the start does that trusts no slot
      const all = [1, 2, 3].map((number) => slot(7, number));
      await log.commit(all.map(add));
      await log.renew();
      const plain = openMemoryKv();
      await plain.commit(all.map(add));
      for (const [changed, adds] of later) {
        const ops = [adds ? add(changed) : take(changed)];
        await log.commit(ops);
        await plain.commit(ops);
        const again = new SlotLog(base);
        assert.deepEqual(again.damaged, []);
        assert.deepEqual(hex(again.range('schedule', {})), hex(plain.range('schedule', {})));
      }
      assert.deepEqual(new SlotLog(base).damaged, []);
    },
  );
  await fc.assert(property, { numRuns: Number(process.env['MODEL_RUNS'] ?? 300) });
});

const keysOf = (kv: Kv): Buffer[] => [...kv.range('schedule', {})].map(({ key }) => key);
