/** A commit that the store rejects leaves no trace: not in the store, not in memory, not with the dispatcher. */
import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import { TABLES } from '../../../src/queue/kv.ts';
import { auditStore } from '../../support/audit.ts';
import {
  accept,
  acceptLeased,
  deferred,
  delivered,
  deliveriesFor,
  dump,
  eventTypes,
  FaultyKv,
  HOUR,
  keysOf,
  lease,
  newMessage,
  openRig,
  type Rig,
} from './fixture.ts';

let kv: FaultyKv;
let rig: Rig;

/** What the queue says of itself; equal texts before and after mean that a failure changed nothing. */
const told = (): string =>
  JSON.stringify([
    rig.queue.state.counters.sum(),
    [...rig.queue.state.counters.rows()],
    [...rig.queue.state.schedule.heads()].map(({ node, domain, wakeAt }) => [node, domain, wakeAt]),
    rig.queue.state.leases.size,
    rig.queue.state.journal.last,
    [...rig.dispatcher.places],
    rig.dispatcher.delivered.length,
    dump(kv, TABLES),
  ]);

/** Runs works in a commit that fails and checks that nothing came of it. */
async function fails(...works: readonly (() => Promise<unknown>)[]): Promise<void> {
  const before = told();
  kv.failures = 1;
  const results = await Promise.allSettled(works.map((work) => work()));
  for (const result of results)
    assert.match(String(result.status === 'rejected' && result.reason), /the disk is full/);
  assert.equal(kv.failures, 0, 'they shared a commit');
  assert.equal(told(), before);
  assert.deepEqual(auditStore(kv), []);
}

describe('when the store rejects a commit', () => {
  beforeEach(async () => {
    kv = new FaultyKv();
    rig = await openRig({ kv });
  });

  test('an acceptance is not accepted, and the next one is', async () => {
    await fails(
      () => accept(rig, { to: ['a@one.test', 'b@two.test'] }),
      () => accept(rig),
    );
    await accept(rig);
    assert.deepEqual(eventTypes(rig), ['accepted']);
    assert.deepEqual(rig.dispatcher.wakes, [`n1 one.test ${rig.clock.now()}`]);
    assert.deepEqual(auditStore(kv), []);
  });

  test('claimed places are given back, of all works of the commit', async () => {
    rig.dispatcher.places.set('n1 one.test', 3);
    await fails(
      () => accept(rig, { to: ['a@one.test', 'b@one.test'] }),
      () => accept(rig),
    );
    assert.equal(rig.dispatcher.places.get('n1 one.test'), 3);
    await accept(rig);
    assert.equal(rig.dispatcher.delivered.length, 1);
    assert.deepEqual(auditStore(kv), []);
  });

  test('a lease is not given, and what was due is given next', async () => {
    await accept(rig, { to: ['a@one.test', 'b@one.test'] });
    await fails(
      () => lease(rig),
      () => lease(rig),
    );
    assert.equal((await lease(rig)).length, 2);
    assert.deepEqual(auditStore(kv), []);
  });

  test('an outcome can be recorded again under the same lease', async () => {
    const delivery = await acceptLeased(rig, { to: ['a@one.test', 'b@one.test'] });
    await fails(() => rig.queue.record(delivery, delivered(rig)));
    await fails(() => rig.queue.record(delivery, deferred(rig, HOUR, 'n2')));
    await rig.queue.record(delivery, delivered(rig));
    assert.deepEqual(eventTypes(rig), ['accepted', 'accepted', 'delivered']);
    assert.equal(rig.reports.length, 0);
    assert.deepEqual(auditStore(kv), []);
  });

  test('a lease that has ended goes with the next commit that succeeds', async () => {
    await rig.queue.record(await acceptLeased(rig), delivered(rig));
    await fails(() => accept(rig));
    await accept(rig);
    assert.deepEqual(keysOf(kv, 'leases'), []);
  });

  test('batch, sweep, trim and event can be repeated', async () => {
    const number = await accept(rig, { to: ['a@one.test'], open: true, lifetimeMs: HOUR });
    const addition = { number, deliveries: deliveriesFor(rig, {}, 2), close: true };
    await fails(() => rig.queue.accept(addition));
    await rig.queue.accept(addition);
    rig.clock.advance(HOUR);
    await fails(
      () => rig.queue.sweep(),
      () => rig.queue.announce({ type: 'config', time: 0 }),
    );
    await rig.queue.sweep();
    assert.deepEqual(eventTypes(rig), ['accepted', 'accepted', 'undelivered']);
    await fails(() => rig.queue.trim({ historyBefore: Infinity, journalBefore: 0 }));
    // The finished delivery, and the group that names it.
    assert.equal(await rig.queue.trim({ historyBefore: Infinity, journalBefore: 0 }), 2);
    assert.deepEqual(auditStore(kv), []);
  });

  test('a snapshot that failed is written by the next commit', async () => {
    await accept(rig);
    rig.clock.advance(6_000);
    await fails(() => accept(rig));
    await accept(rig);
    assert.equal(rig.queue.state.journal.counted, 1);
    assert.deepEqual(auditStore(kv), []);
  });

  test('a queue that only failed commits used can be pruned', async () => {
    await fails(() => accept(rig));
    const delivery = await acceptLeased(rig);
    await fails(() => rig.queue.record(delivery, deferred(rig, HOUR, 'n2')));
    await rig.queue.record(delivery, delivered(rig));
    await rig.queue.prune();
    assert.equal(rig.queue.state.schedule.size, 0);
  });

  test('pruning that failed leaves queues that still work', async () => {
    await rig.queue.record(await acceptLeased(rig), delivered(rig));
    kv.failures = 1;
    await assert.rejects(rig.queue.prune());
    await accept(rig);
    assert.equal((await lease(rig)).length, 1);
    assert.deepEqual(auditStore(kv), []);
  });

  test('a work that cannot be built fails alone and gives back what it reserved', async () => {
    rig.dispatcher.places.set('n1 one.test', 1);
    const input = newMessage(rig, { to: ['a@one.test', 'b@two.test'] });
    const [first, second] = input.deliveries;
    const never = { ...second!, record: { ...second!.record, wakeAt: 2 ** 60 } }; // no key can hold that
    const impossible = rig.queue.accept({ ...input, deliveries: [first!, never] });
    const [bad, good] = await Promise.allSettled([impossible, accept(rig, { to: ['a@three.test'] })]);
    assert.deepEqual([bad.status, good.status], ['rejected', 'fulfilled']);
    assert.equal(rig.dispatcher.places.get('n1 one.test'), 1);
    assert.deepEqual(eventTypes(rig), ['accepted']);
    assert.deepEqual(keysOf(kv, 'leases'), [], 'nor does a lease name what is not there');
    assert.deepEqual(auditStore(kv), []);
    await rig.queue.prune();
    assert.equal(rig.queue.state.schedule.size, 1);
  });

  test('a work that sets a delivery aside and then cannot be built leaves the count as it was', async () => {
    const delivery = await acceptLeased(rig);
    const { committer, quarantine } = rig.queue.state;
    const broken = committer.submit({
      build: (transaction) => {
        quarantine.add(transaction, { ...delivery, error: new Error('damaged'), at: 0 });
        throw new Error('a fault of ours');
      },
    });
    await Promise.all([assert.rejects(broken, /a fault of ours/), accept(rig)]);
    assert.equal(quarantine.count, 0);
    assert.deepEqual(keysOf(kv, 'damaged'), []);
  });

  test('closing still closes', async () => {
    await accept(rig);
    kv.failures = 1;
    await rig.queue.close();
  });
});
