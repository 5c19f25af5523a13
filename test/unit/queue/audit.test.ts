/** The audit is silent about a sound store, and names every kind of damage that a test does to one. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { deliveryIdOf } from '../../../src/core/index.ts';
import { audit, type AuditReport, auditStore, leasedAmiss } from '../../../src/queue/index.ts';
import { deliveryKey } from '../../../src/queue/keys.ts';
import { TABLES } from '../../../src/queue/kv.ts';
import { readDelivery } from '../../../src/queue/leasing.ts';
import { encode } from '../../../src/queue/records.ts';
import { DAMAGE, remove, scene } from './audit-damage.ts';
import { accept, acceptLeased, HOUR, openRig } from './fixture.ts';

describe('audit', () => {
  test('says nothing about a sound store', async () => {
    const { rig } = await scene();
    assert.deepEqual(auditStore(rig.kv), []);
  });

  test('finds the same when it holds a few events at a time against the tables', async () => {
    const made = await scene();
    const { kv } = made.rig;
    assert.deepEqual(audit(kv, { eventsPerPass: 2 }).violations, []);
    const lost = [deliveryKey(made.waiting, 1), deliveryKey(made.shared, 2)];
    await kv.commit([...lost.map((key) => remove('deliveries', key))]);
    const sorted = (report: AuditReport): string[] => report.violations.map(({ text }) => text).sort();
    assert.deepEqual(sorted(audit(kv, { eventsPerPass: 2 })), sorted(audit(kv)));
    assert.equal(
      audit(kv).violations.filter(({ text }) => /was accepted, has not ended/.test(text)).length,
      2,
    );
  });

  test('holds the counts of a running queue against the store, at the event where they were taken', async () => {
    const { rig } = await scene();
    const { journal, counters } = rig.queue.state;
    const expected = { seq: journal.last, totals: counters.sum() };
    await accept(rig);
    const sound = audit(rig.kv, { expected });
    assert.deepEqual([sound.clean, sound.live_counts_compared], [true, true]);
    const wrong = { ...expected, totals: { ...expected.totals, delivered: 7 } };
    assert.match(audit(rig.kv, { expected: wrong }).violations[0]!.text, /counts 7 delivered, the store 1/);
    assert.equal(audit(rig.kv, { expected: { ...expected, seq: 999 } }).live_counts_compared, false);
  });

  test('is told what is with a worker and would be sent twice, or is not queued', async () => {
    const { rig, shared } = await scene();
    const { state } = rig.queue;
    await rig.queue.record(await acceptLeased(rig), { kind: 'released', wakeAt: 0 });
    assert.deepEqual(await leasedAmiss(state), [], 'a lease may name what has come back');
    const id = deliveryIdOf(shared, 2);
    const { key } = state.schedule.slotOf(readDelivery(state, shared, 2)!);
    await rig.kv.commit([{ table: 'schedule', key, value: Buffer.alloc(0) }]);
    const [twice, ...none] = await leasedAmiss(state);
    assert.deepEqual(
      [twice, none],
      [{ text: `delivery ${id} is with a worker and has a slot`, delivery_id: id }, []],
    );
    assert.deepEqual(auditStore(rig.kv), [], 'which the store alone does not tell');
    const expected = { seq: state.journal.last, totals: state.counters.sum(), violations: [twice!] };
    assert.deepEqual(audit(rig.kv, { expected }).violations, [twice]);
    await rig.kv.commit([remove('schedule', key), remove('deliveries', deliveryKey(shared, 2))]);
    assert.match((await leasedAmiss(state))[0]!.text, /with a worker and not queued/);
  });

  test('sums up and lists what may arrive twice', async () => {
    const { rig } = await scene();
    const before = audit(rig.kv);
    assert.deepEqual(before.totals, rig.queue.state.counters.sum());
    assert.deepEqual(before.possible_duplicates, { count: 0, delivery_ids: [] });
    const again = await openRig({ kv: rig.kv });
    assert.equal(audit(again.kv).possible_duplicates.count, again.recovered.returned);
    assert.ok(again.recovered.returned > 0);
  });

  for (const table of TABLES.filter((one) => one !== 'schedule'))
    test(`names one bit that is wrong in a value of ${table}`, async () => {
      const { rig } = await scene();
      let [entry] = rig.kv.range(table, {});
      if (!entry) {
        entry = { key: deliveryKey(7, 1), value: encode({ operation: { op: 'hold' } }) };
        await rig.kv.commit([{ table, ...entry }]);
      }
      const sound = auditStore(rig.kv);
      const value = Buffer.from(entry.value);
      value[4]! ^= 0x10;
      // What is pending of the slots is read from the log by a start alone: the audit gets the store itself.
      await rig.store.commit([{ table, key: entry.key, value }]);
      const found = auditStore(rig.store).filter((text) => !sound.includes(text));
      assert.ok(found.length > 0);
    });

  test('names no marks of the stop list', async () => {
    const { rig } = await scene();
    const entry = { kind: 'address', value: 'a@one.test', source: 'complaint', at: 1 } as const;
    await rig.queue.stopList.add([{ ...entry, expiresAt: rig.clock.now() + HOUR }]);
    assert.deepEqual(auditStore(rig.kv), []);
  });

  for (const { name, ops, says } of DAMAGE) {
    test(`names ${name}`, async () => {
      const made = await scene();
      await made.rig.kv.commit(ops(made));
      const found = auditStore(made.rig.kv);
      assert.ok(
        found.some((text) => says.test(text)),
        JSON.stringify(found),
      );
    });
  }
});
