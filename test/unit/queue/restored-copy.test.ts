/** A store that goes on from a copy, while the one it was made of had gone on as well. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Event } from '../../../src/core/index.ts';
import { audit, journalLags, type Kv, markCopy, openMemoryKv, TABLES } from '../../../src/queue/index.ts';
import { auditStore } from '../../support/audit.ts';
import { accept, crash, DAY, delivered, lease, openRig, type Rig } from './fixture.ts';

async function copyOf(store: Kv): Promise<Kv> {
  const copy = openMemoryKv();
  for (const table of TABLES)
    await copy.commit([...store.range(table, {})].map((entry) => ({ table, ...entry })));
  return copy;
}

/** As `postrider backup` makes it. */
async function backupOf({ store }: Rig): Promise<Kv> {
  const copy = await copyOf(store);
  await markCopy(copy);
  return copy;
}

const told = ({ queue }: Rig, after = 0): Event[] => [...queue.state.journal.events(after)];
const idsBehind = (rig: Rig, after: number): string[] =>
  told(rig, after)
    .filter(({ type }) => type !== 'sink_gap')
    .map(({ id }) => id);

describe('a start on a backup', () => {
  test('gives no number that the store before has given since, and tells who follows of the gap', async () => {
    const before = await openRig();
    await accept(before);
    const backup = await backupOf(before);
    const { last } = before.queue.state.journal;
    for (let i = 0; i < 5; i++) await accept(before);
    const seen = before.queue.state.journal.last;
    const rig = await openRig({ kv: backup, clock: before.clock });
    assert.deepEqual(
      rig.reports.map(({ text }) => text.split(':')[0]),
      ['the store is a copy'],
    );
    const [gap, ...none] = told(rig, seen);
    assert.deepEqual([gap?.type, gap?.from, none], ['sink_gap', seen + 1, []]);
    await accept(rig);
    const [first, event] = told(rig, seen);
    assert.deepEqual([first?.type, event?.type, event?.seq], ['sink_gap', 'accepted', first!.to! + 1]);
    const ids = [...idsBehind(before, last), ...idsBehind(rig, last)];
    assert.equal(new Set(ids).size, 6);
  });

  test('counts nobody who follows as behind by numbers that were never given', async () => {
    const before = await openRig();
    for (let i = 0; i < 4; i++) await accept(before);
    const backup = await backupOf(before);
    await accept(before);
    const seen = before.queue.state.journal.last;
    const rig = await openRig({ kv: backup, clock: before.clock });
    for (let i = 0; i < 4; i++) await accept(rig);
    const { journal } = rig.queue.state;
    journal.kept = { maxAgeMs: DAY, maxBytes: 2 * journal.bytes, onFull: 'stop' };
    const lagFrom = (position: number): object => {
      const done = journal.readers.add({ name: 'api', position: () => position });
      const [lag] = journalLags(journal, rig.clock.now());
      done();
      return { ...lag };
    };
    assert.deepEqual(lagFrom(0), { reader: 'api', events: 8, share: 0.5 });
    assert.deepEqual(lagFrom(3), { reader: 'api', events: 5, share: 5 / 16 });
    assert.deepEqual(lagFrom(seen), { reader: 'api', events: 4, share: 0.25 });
    assert.deepEqual(lagFrom(journal.last), { reader: 'api', events: 0, share: 0 });
  });

  test('gives other numbers than an earlier start on the same one', async () => {
    const before = await openRig();
    await accept(before);
    const { last } = before.queue.state.journal;
    const backups = [await backupOf(before), await backupOf(before)];
    const ids: string[] = [];
    for (const kv of backups) {
      const rig = await openRig({ kv, clock: before.clock });
      for (let i = 0; i < 3; i++) await accept(rig);
      ids.push(...idsBehind(rig, last));
      before.clock.advance(1);
    }
    assert.equal(new Set(ids).size, 6);
  });

  test('leaves numbers out once, keeps the counts, and passes the audit also when it is trimmed', async () => {
    const before = await openRig();
    for (let i = 0; i < 3; i++) await accept(before);
    const clock = before.clock;
    let rig = await openRig({ kv: await backupOf(before), clock });
    assert.deepEqual(auditStore(rig.store), []);
    const { last } = rig.queue.state.journal;
    rig = await crash(rig);
    assert.equal(rig.queue.state.journal.last, last);
    assert.deepEqual(rig.reports, []);
    assert.equal(rig.queue.state.counters.sum().queued, 3);
    for (const delivery of await lease(rig)) await rig.queue.record(delivery, delivered(rig));
    assert.deepEqual(audit(rig.store, { eventsPerPass: 2 }).violations, []);
    await rig.queue.close();
    rig = await openRig({ kv: rig.store, clock });
    const { accepted, delivered: sent, queued } = rig.queue.state.counters.sum();
    assert.deepEqual([accepted, sent, queued, rig.reports], [3, 3, 0, []]);
    clock.advance(DAY);
    await accept(rig);
    await rig.queue.trim({ historyBefore: 0, journalBefore: clock.now() });
    assert.ok(rig.queue.state.journal.first > last);
    await rig.queue.close();
    assert.deepEqual(auditStore(rig.store), []);
  });

  test('of an empty store begins a store of its own', async () => {
    const before = await openRig();
    const backup = await backupOf(before);
    await accept(before);
    const rig = await openRig({ kv: backup, clock: before.clock });
    await accept(rig);
    assert.notEqual(told(rig)[0]!.id, told(before)[0]!.id);
    assert.deepEqual(auditStore(rig.store), []);
  });
});
