import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { describe, test } from 'node:test';
import type { Event } from '../../../src/core/index.ts';
import { journalFull, journalLags, openMemoryKv, type Queue, worstLag } from '../../../src/queue/index.ts';
import type { Kv } from '../../../src/queue/kv.ts';
import { auditStore } from '../../support/audit.ts';
import {
  accept,
  crash,
  DAY,
  delivered,
  events,
  eventTypes,
  FaultyKv,
  keysOf,
  lease,
  openRig,
  type Rig,
} from './fixture.ts';

const seqs = (all: readonly Event[]): number[] => all.map(({ seq }) => seq);

/** Takes `count` events of what follows `after`. */
async function follow(queue: Queue, after: number, count: number): Promise<Event[]> {
  const found: Event[] = [];
  for await (const event of queue.follow(after, new AbortController().signal))
    if (found.push(event) === count) break;
  return found;
}

describe('journal', () => {
  test('numbers events without gaps over commits and restarts; ids name the store', async () => {
    let rig = await openRig();
    await Promise.all([accept(rig, { to: ['a@one.test', 'b@one.test'] }), accept(rig)]);
    await accept(rig);
    rig = await crash(rig);
    await accept(rig);
    assert.deepEqual(seqs(events(rig)), [1, 2, 3, 4, 5]);
    const ids = events(rig).map(({ id }) => id.split('-'));
    assert.deepEqual(new Set(ids.map(([store]) => store)).size, 1);
    assert.deepEqual(
      ids.map(([, seq]) => Number(seq)),
      [1, 2, 3, 4, 5],
    );
    assert.deepEqual([rig.queue.state.journal.first, rig.queue.state.journal.last], [1, 5]);
  });

  test('gives the events after any number, also from inside a commit', async () => {
    const rig = await openRig();
    await accept(rig, { to: ['a@one.test', 'b@one.test', 'c@one.test'] });
    await accept(rig, { to: ['a@one.test', 'b@one.test'] });
    for (let after = 0; after <= 5; after++)
      assert.deepEqual(seqs(events(rig, after)), [1, 2, 3, 4, 5].slice(after));
    assert.deepEqual(seqs(events(rig, 99)), []);
    assert.deepEqual(seqs(rig.queue.state.journal.take(1, 3)), [2, 3, 4]);
  });

  test('an announced event is durable and belongs to no delivery', async () => {
    const rig = await openRig();
    await rig.queue.announce({ type: 'node_state', node: 'n1', time: rig.clock.now(), reason: 'started' });
    assert.deepEqual(eventTypes(await crash(rig)), ['node_state']);
    assert.deepEqual(auditStore(rig.kv), []);
  });
});

describe('follow', () => {
  test('gives what is there, then what comes', async () => {
    const rig = await openRig();
    await accept(rig, { to: ['a@one.test', 'b@one.test'] });
    const following = follow(rig.queue, 1, 4);
    await accept(rig);
    await accept(rig, { to: ['a@one.test', 'b@one.test'] });
    assert.deepEqual(seqs(await following), [2, 3, 4, 5]);
  });

  test('ends with its signal while it waits', async () => {
    const rig = await openRig();
    const abort = new AbortController();
    const next = rig.queue.follow(0, abort.signal).next();
    abort.abort();
    assert.deepEqual(await next, { done: true, value: undefined });
  });

  test('leaves nothing on the signal however many events pass', async () => {
    const rig = await openRig();
    const abort = new AbortController();
    const following = rig.queue.follow(0, abort.signal);
    for (let i = 0; i < 30; i++) {
      const next = following.next();
      await accept(rig);
      await next;
    }
    const waiting = following.next();
    assert.ok(getEventListeners(abort.signal, 'abort').length <= 1);
    abort.abort();
    await waiting;
    assert.equal(getEventListeners(abort.signal, 'abort').length, 0);
  });

  test('a reader that stands still holds no cursor of the store', async () => {
    const kv = openMemoryKv();
    let cursors = 0;
    const watched: Kv = {
      ...kv,
      *range(table, options) {
        cursors++;
        try {
          yield* kv.range(table, options);
        } finally {
          cursors--;
        }
      },
    };
    const rig = await openRig({ kv: watched });
    for (let i = 0; i < 5; i++) await accept(rig);
    const following = rig.queue.follow(0, new AbortController().signal);
    await following.next();
    assert.equal(cursors, 0);
    await following.return(undefined);
  });
});

describe('trimming the journal', () => {
  /** Three commits of one event, a day apart, all of them counted in a snapshot. */
  async function threeDays(kv?: Kv) {
    const rig = await openRig(kv && { kv });
    for (let day = 0; day < 3; day++) {
      await accept(rig);
      rig.clock.advance(DAY);
    }
    await rig.queue.announce({ type: 'config', time: rig.clock.now() });
    return rig;
  }
  const sizes = (rig: Awaited<ReturnType<typeof threeDays>>): number =>
    [...rig.kv.range('journal', {})].reduce((sum, { value }) => sum + value.length, 0);

  const trim = (rig: Awaited<ReturnType<typeof threeDays>>, journalBefore: number) =>
    rig.queue.trim({ historyBefore: 0, journalBefore });

  test('removes what is older than the bound, oldest first; numbers stay', async () => {
    const rig = await threeDays();
    await trim(rig, rig.clock.now() - 1.5 * DAY);
    assert.deepEqual(seqs(events(rig)), [3, 4]);
    assert.equal(rig.queue.state.journal.first, 3);
    const late = events(rig, 1).map(({ type, seq }) => `${type} ${seq}`);
    assert.deepEqual(late, ['sink_gap 2', 'accepted 3', 'config 4'], 'who was behind is told');
    assert.deepEqual(auditStore(rig.kv), []);
  });

  test('removes what a clock that was years ahead has dated with what came behind it', async () => {
    const rig = await openRig();
    const years = 1_000 * DAY;
    await accept(rig);
    rig.clock.advance(DAY);
    rig.clock.step(years);
    for (let i = 0; i < 5; i++) await accept(rig, { lifetimeMs: 2 * years });
    rig.clock.step(-years);
    await accept(rig);
    rig.clock.advance(2 * DAY);
    await rig.queue.announce({ type: 'config', time: rig.clock.now() });
    rig.clock.advance(DAY);
    await rig.queue.announce({ type: 'config', time: rig.clock.now() });
    await trim(rig, rig.clock.now() - 3.5 * DAY);
    assert.equal(rig.queue.state.journal.first, 2, 'what follows is young enough');
    await trim(rig, rig.clock.now() - 2.5 * DAY);
    assert.deepEqual(seqs(events(rig)), [8, 9]);
    assert.deepEqual(auditStore(rig.kv), []);
  });

  test('by size removes the oldest until the rest fits, and counts the same bytes after a restart', async () => {
    let rig = await threeDays();
    const { bytes } = rig.queue.state.journal;
    assert.equal(bytes, sizes(rig));
    await rig.queue.trim({ historyBefore: 0, journalBefore: 0, journalBytes: bytes - 1 });
    assert.equal(rig.queue.state.journal.first, 2);
    assert.equal(rig.queue.state.journal.bytes, sizes(rig));
    rig = await crash(rig);
    assert.equal(rig.queue.state.journal.bytes, sizes(rig));
  });

  test('in a commit that also stores the counts leaves the same bytes after a restart', async () => {
    let rig = await threeDays();
    rig.clock.advance(DAY);
    await rig.queue.trim({
      historyBefore: 0,
      journalBefore: 0,
      journalBytes: rig.queue.state.journal.bytes - 1,
    });
    assert.equal(rig.queue.state.journal.counted, 4);
    assert.equal(rig.queue.state.journal.bytes, sizes(rig));
    rig = await crash(rig);
    assert.equal(rig.queue.state.journal.bytes, sizes(rig));
  });

  test('that the store refuses is made again, and counts once', async () => {
    const kv = new FaultyKv();
    const rig = await threeDays(kv);
    const bounds = { historyBefore: 0, journalBefore: 0, journalBytes: rig.queue.state.journal.bytes - 1 };
    kv.failures = 1;
    await assert.rejects(rig.queue.trim(bounds));
    assert.equal(rig.queue.state.journal.bytes, sizes(rig));
    await rig.queue.trim(bounds);
    assert.equal(rig.queue.state.journal.first, 2);
    const again = await crash(rig);
    assert.equal(again.queue.state.journal.bytes, sizes(again));
  });

  test('of everything keeps the last commit, so a restart goes on from its number', async () => {
    let rig = await threeDays();
    await trim(rig, Infinity);
    rig = await crash(rig);
    await accept(rig);
    assert.equal(rig.queue.state.journal.last, 5);
    assert.equal(rig.queue.state.counters.sum().accepted, 4);
    assert.deepEqual(auditStore(rig.kv), []);
  });

  test('keeps what the stored counts do not include yet', async () => {
    let rig = await openRig();
    for (let i = 0; i < 3; i++) await accept(rig);
    await trim(rig, Infinity);
    rig = await crash(rig);
    assert.equal(rig.queue.state.counters.sum().accepted, 3);
    assert.deepEqual(auditStore(rig.kv), []);
  });

  test('a journal whose deliveries have ended still proves the counts', async () => {
    const rig = await threeDays();
    for (const delivery of await lease(rig)) await rig.queue.record(delivery, delivered(rig));
    rig.clock.advance(DAY);
    await trim(rig, rig.clock.now());
    await rig.queue.close();
    const again = await openRig(rig);
    assert.equal(keysOf(rig.kv, 'journal').length, 1);
    const { accepted, undelivered, delivered: sent } = again.queue.state.counters.sum();
    assert.deepEqual([accepted, undelivered + sent], [3, 3]);
    assert.deepEqual(auditStore(rig.kv), []);
  });
});

describe('who follows the journal and is behind', () => {
  const kept = { maxAgeMs: 10 * DAY, maxBytes: Infinity, onFull: 'gap' } as const;
  const share = (rig: Rig): number =>
    worstLag(journalLags(rig.queue.state.journal, rig.clock.now()))?.share ?? 0;

  test('is told of by the age of what it wants next', async () => {
    const rig = await openRig();
    const { journal } = rig.queue.state;
    journal.kept = kept;
    for (let i = 0; i < 4; i++) await accept(rig);
    let seen = 4;
    const done = journal.readers.add({ name: 'api', position: () => seen });
    rig.clock.advance(5 * DAY);
    assert.equal(share(rig), 0, 'it has seen everything');
    await accept(rig);
    rig.clock.advance(4 * DAY);
    assert.equal(share(rig), 0.4);
    seen = 2;
    assert.equal(share(rig), 0.9);
    done();
    assert.equal(share(rig), 0, 'nobody follows');
  });

  test('is told of by the size of what it has not seen', async () => {
    const rig = await openRig();
    const { journal } = rig.queue.state;
    for (let i = 0; i < 4; i++) await accept(rig);
    journal.kept = { ...kept, maxBytes: 2 * journal.bytes };
    journal.readers.add({ name: 'api', position: () => 1 });
    assert.equal(share(rig), 3 / 8);
  });

  test('is not taken for older than what is there where a part of that is damaged', async () => {
    const rig = await openRig();
    const { journal } = rig.queue.state;
    for (let i = 0; i < 4; i++) await accept(rig);
    journal.kept = { ...kept, maxBytes: 2 * journal.bytes, onFull: 'stop' };
    journal.readers.add({ name: 'api', position: () => 0 });
    rig.clock.advance(6 * DAY);
    const [first, ...others] = keysOf(rig.kv, 'journal').map((key) => Buffer.from(key, 'hex'));
    const spoil = (key: Buffer) => ({ table: 'journal', key, value: Buffer.from('rubbish') }) as const;
    await rig.kv.commit([spoil(first!)]);
    assert.equal(share(rig), 0.6, 'the next event says how old it is');
    await rig.kv.commit(others.map(spoil));
    assert.equal(share(rig), 0.5, 'nothing says how old it is, but how large');
    assert.equal(journalFull(journal, rig.clock.now()), undefined);
  });

  test('keeps its events where the journal stops at the bound, and the mail out', async () => {
    const rig = await openRig();
    const { journal } = rig.queue.state;
    for (let i = 0; i < 4; i++) await accept(rig);
    rig.clock.advance(DAY);
    await rig.queue.announce({ type: 'config', time: rig.clock.now() });
    journal.kept = { ...kept, maxBytes: 10 };
    assert.equal(journalFull(journal, rig.clock.now()), undefined, 'nobody follows');
    const done = journal.readers.add({ name: 'delivery log', position: () => 2 });
    assert.equal(journalFull(journal, rig.clock.now()), undefined, 'on_full is gap');
    journal.kept = { ...journal.kept, onFull: 'stop' };
    assert.match(journalFull(journal, rig.clock.now())!, /delivery log is 3 events behind.*on_full: stop/);
    const bounds = { historyBefore: 0, journalBefore: Infinity };
    await rig.queue.trim({ ...bounds, journalWaits: true });
    assert.deepEqual(seqs(events(rig)), [3, 4, 5], 'what it has not seen is there');
    done();
    await rig.queue.trim({ ...bounds, journalWaits: true });
    assert.deepEqual(seqs(events(rig)), [5], 'nobody waits for it any more');
  });
});
