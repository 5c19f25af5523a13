/** A start on a store in which one value is damaged: it starts, says so, and all mail goes on. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { mistrustSlots } from '../../../src/queue/index.ts';
import { numberKey, textKey } from '../../../src/queue/keys.ts';
import type { Entry, Table } from '../../../src/queue/kv.ts';
import { auditStore } from '../../support/audit.ts';
import {
  accept,
  acceptLeased,
  crash,
  deferred,
  delivered,
  HOUR,
  lease,
  openRig,
  type Rig,
} from './fixture.ts';

const MAIL = { to: ['a@one.test', 'b@one.test'], campaignId: 'spring' };

/** Mail that was delivered, mail that waits, a hold of something else, a lock, two snapshots of the counts. */
async function scene(): Promise<Rig> {
  const rig = await openRig();
  await accept(rig, MAIL);
  for (const one of await lease(rig)) await rig.queue.record(one, delivered(rig));
  rig.clock.advance(6_000);
  await rig.queue.record(await acceptLeased(rig), deferred(rig, 0));
  await rig.queue.operations.submit({ operation: { op: 'hold' }, selector: { sender: 'x' }, text: '' });
  await rig.queue.control({ key: ['lock', 'n1'], value: { until: 1 } });
  await accept(rig, MAIL);
  rig.clock.advance(6_000);
  await accept(rig, { ...MAIL, to: ['c@two.test'] });
  return rig;
}

const entries = (rig: Rig, table: Table): Entry[] => [...rig.kv.range(table, {})];

async function flip(rig: Rig, table: Table, { key, value }: Entry): Promise<void> {
  const damaged = Buffer.from(value);
  damaged[4] = damaged[4]! ^ 0x10;
  await rig.kv.commit([{ table, key, value: damaged }]);
}

/** What is queued is given out and delivered; gives how many. */
async function deliverAll(rig: Rig): Promise<number> {
  let count = 0;
  for (const domain of ['one.test', 'two.test'])
    for (const one of await lease(rig, domain)) {
      await rig.queue.record(one, delivered(rig));
      count++;
    }
  return count;
}

const conserved = (rig: Rig): void => {
  const {
    accepted,
    delivered: made,
    hard_bounced,
    undelivered,
    removed,
    queued,
  } = rig.queue.state.counters.sum();
  assert.equal(accepted, made + hard_bounced + undelivered + removed + queued);
};

describe('a start with a damaged value', () => {
  for (const table of [
    'meta',
    'queues',
    'slot_log',
    'rows',
    'totals',
    'controls',
    'jobs',
    'journal',
  ] as const) {
    test(`in ${table}, any of them, delivers all that is queued, and counts it`, async () => {
      const count = entries(await scene(), table).length;
      assert.ok(count > 0);
      for (let i = 0; i < count; i++) {
        const before = await scene();
        await flip(before, table, entries(before, table)[i]!);
        const rig = await crash(before);
        rig.queue.controls();
        assert.ok(rig.reports.length > 0 || table === 'journal', `${table} ${i} is told`);
        assert.equal(rig.queue.state.counters.sum().queued, 4, `${table} ${i}`);
        conserved(rig);
        assert.equal(await deliverAll(rig), 4, `${table} ${i}`);
        conserved(rig);
        assert.equal(rig.queue.state.counters.sum().queued, 0);
        assert.equal(rig.queue.state.counters.sum().delivered, 6, `${table} ${i}`);
        await rig.queue.prune();
        await rig.queue.close();
        const found = auditStore(rig.kv).filter(
          (text) => !/the journal (is damaged|goes on)|accepted|^(controls|jobs) /.test(text), // until set again
        );
        assert.deepEqual(
          found.filter((text) => !/event \d+ stands/.test(text)),
          [],
          `${table} ${i}: whole again`,
        );
      }
    });
  }

  test('in a hold holds all mail until it is released', async () => {
    const before = await scene();
    await flip(before, 'holds', entries(before, 'holds')[0]!);
    const rig = await crash(before);
    assert.equal(await deliverAll(rig), 0);
    assert.ok(rig.reports.some(({ details }) => String(details['consequence']).includes('all mail is held')));
    await rig.queue.operations.submit({ operation: { op: 'release' }, selector: {}, text: '' });
    assert.equal(await deliverAll(rig), 4);
  });

  test('in a job gives its number to no other, and is told until the next job', async () => {
    const rig = await openRig();
    const hold = { operation: { op: 'hold' }, text: '' } as const;
    await rig.queue.operations.submit({ ...hold, selector: { sender: 'x' } });
    await flip(rig, 'jobs', entries(rig, 'jobs').at(-1)!);
    const again = await crash(rig);
    await again.queue.operations.submit({ ...hold, selector: { sender: 'y' } });
    const senders = again.queue.state.holds.marks.map(({ selector }) => selector.sender);
    assert.deepEqual(senders, ['x', 'y']);
    assert.equal(entries(again, 'holds').length, 2);
    assert.deepEqual((await crash(again)).reports, []);
  });

  for (const tables of [['jobs'], ['jobs', 'holds']] as const)
    test(`without its ${tables.join(' and ')} gives the number of a hold to no other`, async () => {
      const rig = await openRig();
      const hold = { operation: { op: 'hold' }, text: '' } as const;
      await rig.queue.operations.submit({ ...hold, selector: { recipient: 'a@one.test' } });
      await accept(rig);
      for (const table of tables)
        await rig.kv.commit(entries(rig, table).map(({ key }) => ({ table, key, value: undefined })));
      const again = await crash(rig);
      await again.queue.operations.submit({ ...hold, selector: { recipient: 'b@one.test' } });
      assert.equal(entries(again, 'holds').length, 3 - tables.length);
      assert.equal((await lease(again)).length, tables.length - 1);
    });

  test('in the stop list goes on stopping', async () => {
    const before = await openRig();
    const entry = { kind: 'address', value: 'a@one.test', source: 'complaint', at: 1 } as const;
    await before.queue.stopList.add([entry]);
    await flip(before, 'stop_list', entries(before, 'stop_list')[0]!);
    const rig = await crash(before);
    assert.equal(rig.queue.stopList.find('a@one.test', undefined)?.reason, 'the entry is damaged');
  });
});

describe('a start without a group in the log of the slots', () => {
  const DOMAINS = ['one.test', 'two.test', 'three.test'];
  /** Some slots are in the table by then, and some of these were taken again. */
  const slotBounds = { pending: 8, logged: 100, groups: 50, many: 100, slice: 1 };

  async function slotScene(): Promise<{ readonly rig: Rig; readonly leased: string }> {
    const rig = await openRig({ slotBounds });
    for (let round = 0; round < 4; round++)
      for (const domain of DOMAINS) await accept(rig, { to: [`r${round}@${domain}`] });
    for (const domain of DOMAINS) {
      const [first, second] = await lease(rig, domain, { limit: 2 });
      await rig.queue.record(first!, delivered(rig));
      await rig.queue.record(second!, deferred(rig));
    }
    const [held] = await lease(rig, 'two.test', { limit: 1 });
    await accept(rig, { to: ['last@three.test'] });
    return { rig, leased: held!.id };
  }

  for (const what of ['damaged', 'lost', 'under another number'] as const)
    test(`that is ${what}, any of them, sends all that is queued once, and marks what was leased`, async () => {
      const { rig: whole } = await slotScene();
      const count = entries(whole, 'slot_log').length;
      assert.ok([...whole.store.range('schedule', {})].length > 0);
      assert.ok(count > 5);
      // The oldest and the newest one cannot be missed.
      for (let i = what === 'lost' ? 1 : 0; i < (what === 'lost' ? count - 1 : count); i++) {
        const { rig: before, leased } = await slotScene();
        const group = entries(before, 'slot_log')[i]!;
        if (what === 'damaged') await flip(before, 'slot_log', group);
        else await before.kv.commit([{ table: 'slot_log', key: group.key, value: undefined }]);
        if (what === 'under another number')
          await before.store.commit([
            { table: 'slot_log', key: numberKey(2 ** (40 + i)), value: group.value },
          ]);
        assert.match(auditStore(before.store)[0]!, /damaged or lost in the log of the slots: groups? \d+/);
        const rig = await crash(before);
        assert.ok(
          rig.reports.some(({ details }) => /^groups? \d+.* of the slots/.test(String(details['what']))),
        );
        assert.deepEqual(auditStore(rig.store), [], `${what} ${i}`);
        const again = await crash(rig);
        assert.deepEqual(again.reports, [], 'it is told once');
        again.clock.advance(HOUR);
        const sent: string[] = [];
        for (const domain of DOMAINS)
          for (const one of await lease(again, domain)) {
            sent.push(one.id);
            assert.equal(one.record.possibleDuplicate === true, one.id === leased, `${what} ${i}: ${one.id}`);
            await again.queue.record(one, delivered(again));
          }
        assert.equal(new Set(sent).size, 10);
        assert.equal(sent.length, 10);
        assert.deepEqual(auditStore(again.store), []);
      }
    });

  test('or with slots that are lost, gives each delivery its place anew where nobody trusts them', async () => {
    const { rig: before } = await slotScene();
    const lost = [entries(before, 'slot_log')[0]!, entries(before, 'slot_log').at(-1)!];
    const ops = lost.map(({ key }) => ({ table: 'slot_log', key, value: undefined }) as const);
    const stored = [...before.store.range('schedule', { limit: 1 })];
    const slots = stored.map(({ key }) => ({ table: 'schedule', key, value: undefined }) as const);
    await before.store.commit([...ops, ...slots]);
    assert.notDeepEqual(auditStore((await crash(before)).store), []);
    await mistrustSlots(before.store);
    const rig = await crash(before);
    assert.deepEqual(auditStore(rig.store), []);
    rig.clock.advance(HOUR);
    let sent = 0;
    for (const domain of DOMAINS) sent += (await lease(rig, domain)).length;
    assert.equal(sent, 10);
  });

  test('in the middle of a move leaves each slot once, and the move goes on', async () => {
    const whole = await openRig();
    await accept(whole, { to: Array.from({ length: 200 }, (_, i) => `r${i}@one.test`) });
    await accept(whole, { to: ['last@three.test'] });
    const { operations } = whole.queue;
    const operation = { op: 'move', node: 'n2' } as const;
    const { id } = await operations.submit({ operation, selector: { node: 'n1' }, text: 'move' });
    while (operations.get(id)!.done < 64) await operations.step(0);
    assert.ok(operations.get(id)!.done < 200);
    await flip(whole, 'slot_log', entries(whole, 'slot_log')[0]!);
    const rig = await crash(whole);
    assert.deepEqual(auditStore(rig.store), []);
    while (await rig.queue.operations.step());
    assert.deepEqual(auditStore(rig.store), []);
    assert.equal((await lease(rig, 'one.test', { node: 'n2', limit: 300 })).length, 200);
    assert.equal(rig.queue.operations.get(id)!.done, 201);
  });
});

test('a damaged record of a queue whose mail a job has changed, and not its slots yet, keeps the job from nothing', async () => {
  const halfWay = async (): Promise<Rig> => {
    const rig = await openRig();
    for (const domain of ['one.test', 'two.test'])
      await accept(rig, { to: Array.from({ length: 100 }, (_, i) => `r${i}@${domain}`) });
    const { operations } = rig.queue;
    const operation = { op: 'move', node: 'n2' } as const;
    const { id } = await operations.submit({ operation, selector: { node: 'n1' }, text: 'move' });
    while (operations.get(id)!.done < 200) await operations.step(0);
    return rig;
  };
  const count = entries(await halfWay(), 'queues').length;
  assert.ok(count >= 2);
  for (let i = 0; i < count; i++) {
    const whole = await halfWay();
    await flip(whole, 'queues', entries(whole, 'queues')[i]!);
    const rig = await crash(whole);
    while (await rig.queue.operations.step());
    for (const domain of ['one.test', 'two.test'])
      assert.equal((await lease(rig, domain, { node: 'n2', limit: 200 })).length, 100, `${i} ${domain}`);
    await rig.queue.prune();
    assert.deepEqual(auditStore(rig.store), []);
  }
});

describe('a damaged group of the journal', () => {
  test('is told to who follows as a gap, and trimmed with the others', async () => {
    const rig = await scene();
    const groups = entries(rig, 'journal');
    const at = groups.findIndex(({ value }) => value.includes('soft_bounce'));
    await flip(rig, 'journal', groups[at]!);
    const read = [...rig.queue.state.journal.events(0)];
    const gap = read.find(({ type }) => type === 'sink_gap')!;
    const first = groups[at]!.key.readUInt32BE(4);
    const next = groups[at + 1]!.key.readUInt32BE(4);
    assert.deepEqual([gap.from, gap.to, gap.seq], [first, next - 1, next - 1]);
    assert.deepEqual(
      [...rig.queue.state.journal.events(gap.seq)].map(({ seq }) => seq),
      read.filter(({ seq }) => seq > gap.seq).map(({ seq }) => seq),
    );
    rig.clock.advance(3_600_000);
    await accept(rig);
    await rig.queue.trim({ historyBefore: 0, journalBefore: rig.clock.now() });
    assert.ok(entries(rig, 'journal').length < groups.length - at, 'the damaged one is gone');
  });

  test('that is the last one does not let a number be given twice', async () => {
    const before = await scene();
    const { last } = before.queue.state.journal;
    await flip(before, 'journal', entries(before, 'journal').at(-1)!);
    const rig = await crash(before);
    await accept(rig);
    const seqs = [...rig.queue.state.journal.events(0)].map(({ seq }) => seq);
    assert.ok(rig.queue.state.journal.last > last);
    assert.deepEqual(seqs, [...new Set(seqs)]);
  });

  test('who follows and comes too late is told of what was trimmed', async () => {
    const rig = await scene();
    rig.clock.advance(3_600_000);
    await accept(rig);
    rig.clock.advance(6_000);
    await accept(rig);
    await rig.queue.trim({ historyBefore: 0, journalBefore: rig.clock.now() - 10_000 });
    const { first } = rig.queue.state.journal;
    assert.ok(first > 2);
    const [gap] = rig.queue.state.journal.take(1, 1);
    assert.deepEqual([gap?.type, gap?.from, gap?.to], ['sink_gap', 2, first - 1]);
    assert.equal(rig.queue.state.journal.take(0, 1)[0]?.seq, first, 'who begins misses nothing');
  });
});

describe('a start on a copy without what stood on pages that cannot be read', () => {
  const MARK = textKey('counted');

  async function lose(rig: Rig, table: Table, keys: readonly Buffer[]): Promise<void> {
    await rig.kv.commit(keys.map((key) => ({ table, key, value: undefined })));
  }

  test('counts nothing twice where the mark of the counts is lost, also at the start after that', async () => {
    const before = await scene();
    await lose(before, 'meta', [MARK]);
    assert.match(auditStore(before.store).join(), /the stored counts are damaged/);
    const rig = await crash(before);
    const { accepted, delivered: made, queued } = rig.queue.state.counters.sum();
    assert.deepEqual([accepted, made, queued], [6, 2, 4]);
    rig.clock.advance(6_000);
    await accept(rig, MAIL);
    const again = await crash(rig);
    assert.equal(again.queue.state.counters.sum().accepted, 8);
    assert.equal(await deliverAll(again), 6);
    conserved(again);
    await again.queue.close();
    assert.deepEqual(auditStore(again.store), []);
  });

  test('counts nothing twice where the beginning of the journal was trimmed before', async () => {
    const before = await scene();
    before.clock.advance(HOUR);
    await accept(before, MAIL);
    before.clock.advance(6_000);
    await accept(before, MAIL);
    await before.queue.trim({ historyBefore: 0, journalBefore: before.clock.now() - 10_000 });
    assert.ok(before.queue.state.journal.first > 1);
    const { queued } = before.queue.state.counters.sum();
    await lose(before, 'meta', [MARK]);
    const rig = await crash(before);
    assert.equal(rig.queue.state.counters.sum().queued, queued);
    conserved(rig);
  });

  for (const groups of [1, 3, 'all'] as const)
    test(`gives no number twice where ${groups} of the last groups of the journal are lost`, async () => {
      const before = await scene();
      const { last } = before.queue.state.journal;
      const indexed = entries(before, 'recipients').map(({ key }) => key.toString('hex'));
      const count = groups === 'all' ? 0 : -groups;
      await lose(
        before,
        'journal',
        entries(before, 'journal')
          .slice(count)
          .map(({ key }) => key),
      );
      const rig = await crash(before);
      assert.equal(rig.queue.state.journal.last, last);
      await accept(rig, MAIL);
      const now = entries(rig, 'recipients').map(({ key }) => key.toString('hex'));
      assert.deepEqual(now.slice(0, -1), indexed, 'no group of recipients is written over');
      assert.deepEqual(
        rig.queue.state.journal.take(last, 9).map(({ seq }) => seq),
        [last + 1, last + 2],
      );
      const [gap, ...others] = rig.queue.state.journal.take(last - 1, 9);
      assert.deepEqual([gap?.type, gap?.from, gap?.to], ['sink_gap', last, last]);
      assert.equal(others.length, 2);
      conserved(rig);
      rig.clock.advance(6_000);
      await accept(rig);
      const again = await crash(rig);
      assert.equal(again.queue.state.counters.sum().queued, 7);
      conserved(again);
    });

  test('tells who follows of the end that is lost before anything comes after it', async () => {
    const before = await scene();
    const { last } = before.queue.state.journal;
    await lose(before, 'journal', [entries(before, 'journal').at(-1)!.key]);
    const [gap, ...others] = (await crash(before)).queue.state.journal.take(last - 1, 9);
    assert.deepEqual([gap?.type, gap?.from, gap?.to, others], ['sink_gap', last, last, []]);
  });
});
