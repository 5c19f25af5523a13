import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { findDelivery } from '../../../src/queue/index.ts';
import { auditStore } from '../../support/audit.ts';
import {
  accept,
  acceptLeased,
  deferred,
  delivered,
  dropped,
  events,
  eventTypes,
  failed,
  HOUR,
  keysOf,
  lease,
  openRig,
} from './fixture.ts';

describe('outcome', () => {
  test('delivered: history in, queue, lease and content out, one event with its facts', async () => {
    const rig = await openRig();
    const delivery = await acceptLeased(rig, { campaignId: 'spring' });
    await rig.queue.record(delivery, delivered(rig));
    const found = findDelivery(rig.queue.state, delivery.number, 1);
    assert.equal(found?.state, 'delivered');
    assert.deepEqual(
      found.record.attempts.map(({ outcome, node, mx }) => [outcome, node, mx]),
      [['delivered', 'n1', 'mx.one.test']],
    );
    assert.equal(found.message.campaignId, 'spring');
    for (const table of ['deliveries', 'contents', 'schedule'] as const)
      assert.deepEqual(keysOf(rig.kv, table), []);
    const event = events(rig).at(-1);
    assert.deepEqual(
      [event?.type, event?.attempt, event?.reply?.code, event?.mx],
      ['delivered', 1, 250, 'mx.one.test'],
    );
    assert.deepEqual(auditStore(rig.kv), []);
  });

  test('failed: the event has its type and reason; without an attempt none is recorded', async () => {
    const rig = await openRig();
    await rig.queue.record(await acceptLeased(rig), failed(rig));
    await rig.queue.record(await acceptLeased(rig), dropped(rig, 'stop_list'));
    await rig.queue.record(await acceptLeased(rig), dropped(rig, 'removed'));
    const ends = events(rig).filter(({ type }) => type !== 'accepted');
    assert.deepEqual(
      ends.map(({ type, reason, attempt }) => [type, reason, attempt]),
      [
        ['hard_bounce', undefined, 1],
        ['undelivered', 'stop_list', 0],
        ['undelivered', 'removed', 0],
      ],
    );
    const { hard_bounced, undelivered, removed, queued } = rig.queue.state.counters.sum();
    assert.deepEqual([hard_bounced, undelivered, removed, queued], [1, 1, 1, 0]);
    assert.deepEqual(auditStore(rig.kv), []);
  });

  test('deferred: back in the schedule with the attempt, for the time that was given', async () => {
    const rig = await openRig();
    const delivery = await acceptLeased(rig);
    await rig.queue.record(delivery, deferred(rig, HOUR));
    assert.equal(findDelivery(rig.queue.state, delivery.number, 1)?.state, 'retry');
    const event = events(rig).at(-1);
    assert.equal(event?.type, 'soft_bounce');
    assert.equal(event.next_attempt, new Date(rig.clock.now() + HOUR).toISOString());
    assert.deepEqual(auditStore(rig.kv), []);
    assert.deepEqual(await lease(rig), []);
    rig.clock.advance(HOUR);
    const [again] = await lease(rig);
    assert.equal(again?.record.attempts.length, 1);
    assert.equal(again.content.toString(), 'Hello');
    await rig.queue.record(again, delivered(rig));
    assert.equal(events(rig).at(-1)?.attempt, 2);
    assert.deepEqual(auditStore(rig.kv), []);
  });

  test('deferred to another node: it waits there, and is counted there', async () => {
    const rig = await openRig();
    const delivery = await acceptLeased(rig);
    await rig.queue.record(delivery, deferred(rig, 0, 'n2'));
    assert.deepEqual(await lease(rig), []);
    const rows = [...rig.queue.state.counters.rows()].map(({ node, new: fresh, retry, proc }) => [
      node,
      fresh,
      retry,
      proc,
    ]);
    assert.deepEqual(rows, [['n2', 0, 1, 0]]);
    assert.deepEqual(auditStore(rig.kv), []);
    const [moved] = await lease(rig, 'one.test', { node: 'n2' });
    assert.equal(moved?.record.node, 'n2');
    await rig.queue.record(moved, delivered(rig));
    assert.deepEqual([...rig.queue.state.counters.rows()], []);
    assert.deepEqual(auditStore(rig.kv), []);
  });

  test('released: not an attempt, no event, due again when it says so', async () => {
    const rig = await openRig();
    const delivery = await acceptLeased(rig);
    await rig.queue.record(delivery, { kind: 'released', wakeAt: delivery.record.wakeAt });
    const [again] = await lease(rig);
    assert.equal(again?.record.attempts.length, 0);
    await rig.queue.record(again, { kind: 'released', wakeAt: rig.clock.now() + HOUR });
    assert.equal(findDelivery(rig.queue.state, delivery.number, 1)?.state, 'new');
    assert.deepEqual(await lease(rig), []);
    assert.deepEqual(auditStore(rig.kv), []);
    rig.clock.advance(HOUR);
    assert.equal((await lease(rig)).length, 1);
    assert.deepEqual(eventTypes(rig), ['accepted']);
  });

  test('released to another node: an event says so, the counts follow', async () => {
    const rig = await openRig();
    const fresh = await acceptLeased(rig, { to: ['a@one.test', 'b@one.test'] });
    await rig.queue.record(fresh, deferred(rig, 0));
    const [tried] = await lease(rig);
    await rig.queue.record(tried!, { kind: 'released', wakeAt: rig.clock.now(), node: 'n2' });
    const event = events(rig).at(-1);
    assert.deepEqual([event?.type, event?.node, event?.next_node], ['moved', 'n1', 'n2']);
    assert.deepEqual(auditStore(rig.kv), []);
    assert.equal((await lease(rig, 'one.test', { node: 'n2' })).length, 1);
  });

  test('wakes the dispatcher for the queue it went to', async () => {
    const rig = await openRig();
    const delivery = await acceptLeased(rig);
    rig.dispatcher.wakes.length = 0;
    await rig.queue.record(delivery, deferred(rig, HOUR, 'n2'));
    assert.deepEqual(rig.dispatcher.wakes, [`n2 one.test ${rig.clock.now() + HOUR}`]);
  });

  test('a first attempt whose facts have no reply still leaves the counts right', async () => {
    const rig = await openRig();
    for (const outcome of [delivered(rig), deferred(rig)]) {
      if (outcome.kind === 'released') continue;
      const { reply: _, ...facts } = outcome.facts;
      await rig.queue.record(await acceptLeased(rig), { ...outcome, facts });
      assert.deepEqual(auditStore(rig.kv), []);
    }
  });
});

describe('a lease', () => {
  test('leaves the store once all of its deliveries have an outcome, not before', async () => {
    const rig = await openRig();
    await accept(rig, { to: ['a@one.test', 'b@one.test'] });
    const [first, second] = await lease(rig);
    await rig.queue.record(first!, delivered(rig));
    await accept(rig, { delayMs: HOUR });
    assert.equal(keysOf(rig.kv, 'leases').length, 1, 'one delivery is still out');
    await rig.queue.record(second!, deferred(rig));
    await accept(rig, { delayMs: HOUR }); // the commit after the outcome carries the removal
    assert.deepEqual(keysOf(rig.kv, 'leases'), []);
  });
});

describe('the fence', () => {
  test('an outcome after the lease has ended changes nothing and is reported', async () => {
    const rig = await openRig();
    const delivery = await acceptLeased(rig);
    await rig.queue.record(delivery, delivered(rig));
    await rig.queue.record(delivery, failed(rig));
    assert.deepEqual(eventTypes(rig), ['accepted', 'delivered']);
    assert.deepEqual(
      rig.reports.map(({ details }) => details),
      [{ delivery_id: delivery.id, lease: delivery.leaseId }],
    );
    assert.deepEqual(auditStore(rig.kv), []);
  });

  test('an outcome under an older lease does not end the newer one', async () => {
    const rig = await openRig();
    const first = await acceptLeased(rig);
    await rig.queue.record(first, deferred(rig, 0));
    const [second] = await lease(rig);
    await rig.queue.record(first, delivered(rig));
    assert.equal(rig.queue.state.leases.of(first.number, 1), second?.leaseId);
    await rig.queue.record(second!, delivered(rig));
    assert.deepEqual(eventTypes(rig), ['accepted', 'soft_bounce', 'delivered']);
  });

  for (const [name, second] of [
    ['another end', failed],
    ['a deferral', deferred],
    ['a release', () => ({ kind: 'released', wakeAt: 0 }) as const],
  ] as const) {
    test(`of an end and ${name} in one commit the first counts`, async () => {
      const rig = await openRig();
      const delivery = await acceptLeased(rig, { to: ['a@one.test', 'b@one.test'] });
      await Promise.all([
        rig.queue.record(delivery, delivered(rig)),
        rig.queue.record(delivery, second(rig)),
      ]);
      assert.deepEqual(eventTypes(rig), ['accepted', 'accepted', 'delivered']);
      assert.equal(rig.reports.length, 1);
      assert.equal(rig.queue.state.leases.size, 1);
      assert.deepEqual(auditStore(rig.kv), []);
    });
  }
});

describe('content', () => {
  test('goes exactly when the last delivery has ended, however that came', async () => {
    const rig = await openRig();
    await accept(rig, { to: ['a@one.test', 'b@one.test', 'c@one.test'] });
    const [a, b, c] = await lease(rig);
    const left = (): number => keysOf(rig.kv, 'contents').length;
    await rig.queue.record(a!, delivered(rig));
    await rig.queue.record(b!, deferred(rig));
    assert.equal(left(), 1);
    await rig.queue.record(c!, failed(rig));
    assert.equal(left(), 1);
    rig.clock.advance(HOUR);
    await rig.queue.record((await lease(rig))[0]!, dropped(rig));
    assert.equal(left(), 0);
    assert.deepEqual(auditStore(rig.kv), []);
  });

  test('goes once when all deliveries end in one commit', async () => {
    const rig = await openRig();
    await accept(rig, { to: ['a@one.test', 'b@one.test', 'c@one.test'] });
    const leased = await lease(rig);
    await Promise.all(leased.map((delivery) => rig.queue.record(delivery, delivered(rig))));
    assert.deepEqual(keysOf(rig.kv, 'contents'), []);
    assert.deepEqual(auditStore(rig.kv), []);
  });

  test('of a campaign is handed out from memory as it was stored', async () => {
    const rig = await openRig();
    await accept(rig, { kind: 'campaign', content: 'first', to: ['a@one.test', 'b@one.test'] });
    await accept(rig, { kind: 'campaign', content: 'second' });
    const one = await lease(rig, 'one.test', { limit: 1 });
    const rest = await lease(rig);
    assert.deepEqual(
      [...one, ...rest].map(({ content }) => content.toString()),
      ['first', 'first', 'second'],
    );
  });
});
