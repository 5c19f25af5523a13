import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { deliveryIdOf } from '../../../src/core/index.ts';
import { findDelivery } from '../../../src/queue/index.ts';
import { deliveryKey, numberKey } from '../../../src/queue/keys.ts';
import { auditStore } from '../../support/audit.ts';
import { queuesOf, wakeAt } from '../../support/queues.ts';
import { accept, crash, events, eventTypes, HOUR, keysOf, lease, openRig } from './fixture.ts';

const numbers = (leased: readonly { readonly number: number }[]): number[] =>
  leased.map(({ number }) => number);

describe('lease', () => {
  test('gives what is due by band, then by wake time, then by acceptance', async () => {
    const rig = await openRig();
    const late = await accept(rig, { delayMs: 20 });
    const early = await accept(rig, { delayMs: 10 });
    const priority = await accept(rig, { delayMs: 20, band: 'priority' });
    const geo = await accept(rig, { delayMs: 5, band: 'geo' });
    const twin = await accept(rig, { delayMs: 10 });
    rig.clock.advance(20);
    assert.deepEqual(numbers(await lease(rig)), [priority, geo, early, twin, late]);
    assert.deepEqual(keysOf(rig.kv, 'schedule'), []);
    assert.deepEqual(auditStore(rig.kv), []);
  });

  test('gives what wakes now, not what wakes a millisecond later', async () => {
    const rig = await openRig();
    const now = await accept(rig, { delayMs: 100 });
    const later = await accept(rig, { delayMs: 101 });
    rig.clock.advance(100);
    assert.deepEqual(numbers(await lease(rig)), [now]);
    assert.equal(wakeAt(rig.queue, 'n1', 'one.test'), rig.clock.now() + 1);
    rig.clock.advance(1);
    assert.deepEqual(numbers(await lease(rig)), [later]);
    assert.equal(wakeAt(rig.queue, 'n1', 'one.test'), Infinity);
  });

  test('gives at most its limit, across bands', async () => {
    const rig = await openRig();
    const priority = await accept(rig, { band: 'priority' });
    const first = await accept(rig);
    const second = await accept(rig);
    assert.deepEqual(numbers(await lease(rig, 'one.test', { limit: 2 })), [priority, first]);
    assert.deepEqual(numbers(await lease(rig, 'one.test', { limit: 2 })), [second]);
  });

  test('gives only what is in the queue that was asked for', async () => {
    const rig = await openRig();
    await accept(rig, { to: ['a@two.test'] });
    await accept(rig, { node: 'n2' });
    assert.deepEqual(await lease(rig), []);
    assert.deepEqual(await lease(rig, 'nobody.test'), []);
    assert.equal((await lease(rig, 'two.test')).length, 1);
    assert.equal((await lease(rig, 'one.test', { node: 'n2' })).length, 1);
  });

  test('two in one commit do not give the same delivery twice', async () => {
    const rig = await openRig();
    await accept(rig, { to: ['a@one.test', 'b@one.test'] });
    const [one, two] = await Promise.all([lease(rig), lease(rig)]);
    assert.deepEqual([one.length, two.length], [2, 0]);
    assert.equal(rig.queue.state.leases.size, 2);
    assert.deepEqual(auditStore(rig.kv), []);
  });

  test('carries record, message and content; leased deliveries count as proc', async () => {
    const rig = await openRig();
    const number = await accept(rig, { to: ['a@one.test', 'b@one.test'], content: 'body', campaignId: 'c' });
    const leased = await lease(rig);
    assert.deepEqual(
      leased.map(({ id, record, message, content }) => [
        id,
        record.recipient,
        message.campaignId,
        content.toString(),
      ]),
      [
        [deliveryIdOf(number, 1), 'a@one.test', 'c', 'body'],
        [deliveryIdOf(number, 2), 'b@one.test', 'c', 'body'],
      ],
    );
    const [row] = [...rig.queue.state.counters.rows()];
    assert.deepEqual([row?.new, row?.retry, row?.proc], [2, 0, 2]);
    assert.equal(findDelivery(rig.queue.state, number, 1)?.state, 'proc');
  });

  test('tells the dispatcher when what is left wakes, and nothing when nothing is left', async () => {
    const rig = await openRig();
    await accept(rig, { to: ['a@one.test', 'b@one.test'] });
    await accept(rig, { delayMs: HOUR });
    const known = rig.dispatcher.wakes.length;
    const now = rig.clock.now();
    await lease(rig, 'one.test', { limit: 1 });
    await lease(rig);
    assert.deepEqual(rig.dispatcher.wakes.slice(known), [`n1 one.test ${now}`, `n1 one.test ${now + HOUR}`]);
    rig.clock.advance(HOUR);
    await lease(rig);
    await lease(rig);
    assert.equal(rig.dispatcher.wakes.length, known + 2);
  });

  test('stores the mark of the limiter when it gives something, not when it does not', async () => {
    const rig = await openRig();
    const mark = (used: number) => ({ key: 'n1 other', value: { used } });
    await accept(rig, { delayMs: 1 });
    const [queue] = queuesOf(rig.queue, 'n1', 'one.test');
    await rig.queue.lease({ queue: queue!, limit: 1, marks: [mark(1)] });
    assert.equal(rig.queue.limitMark('n1 other'), undefined);
    rig.clock.advance(1);
    await rig.queue.lease({ queue: queue!, limit: 1, marks: [mark(2)] });
    await rig.queue.lease({ queue: queue!, limit: 1, marks: [mark(3)] });
    assert.deepEqual(rig.queue.limitMark('n1 other'), { used: 2 }, 'nothing was left to give');
    assert.deepEqual((await crash(rig)).queue.limitMark('n1 other'), { used: 2 });
  });

  test('ends what has outlived its lifetime instead of giving it', async () => {
    const rig = await openRig();
    const expired = await accept(rig, { lifetimeMs: HOUR });
    const alive = await accept(rig, { lifetimeMs: HOUR + 1 });
    rig.clock.advance(HOUR);
    assert.deepEqual(numbers(await lease(rig)), [alive]);
    assert.equal(findDelivery(rig.queue.state, expired, 1)?.state, 'undelivered');
    const last = events(rig).at(-1);
    assert.deepEqual([last?.type, last?.reason, last?.attempt], ['undelivered', 'lifetime', 0]);
    assert.deepEqual(keysOf(rig.kv, 'contents'), [numberKey(alive).toString('hex')]);
    assert.deepEqual(auditStore(rig.kv), []);
  });
});

describe('what is damaged', () => {
  test('loses its slot, is reported and left for the audit; the others are given', async () => {
    const rig = await openRig();
    const bad = await accept(rig);
    const good = await accept(rig);
    await rig.kv.commit([{ table: 'deliveries', key: deliveryKey(bad, 1), value: Buffer.from('rubbish') }]);
    assert.deepEqual(numbers(await lease(rig)), [good]);
    assert.deepEqual(
      rig.reports.map(({ details }) => details['delivery_id']),
      [deliveryIdOf(bad, 1)],
    );
    assert.deepEqual(keysOf(rig.kv, 'schedule'), []);
    assert.ok(auditStore(rig.kv).some((text) => text.includes('in the quarantine: the delivery is damaged')));
    assert.deepEqual(await lease(rig), []);
    assert.equal(rig.reports.length, 1);
  });

  for (const damage of ['missing', 'damaged'] as const) {
    test(`content that is ${damage} sets the delivery aside, and its lifetime ends it`, async () => {
      const rig = await openRig();
      const number = await accept(rig, { lifetimeMs: HOUR });
      const value = damage === 'missing' ? undefined : Buffer.from('rubbish');
      await rig.kv.commit([{ table: 'contents', key: numberKey(number), value }]);
      assert.deepEqual(await lease(rig), []);
      assert.equal(rig.reports.length, 1);
      assert.ok(
        auditStore(rig.kv).some((text) => text.includes(`in the quarantine: the content is ${damage}`)),
      );
      rig.clock.advance(HOUR);
      await rig.queue.sweep();
      assert.deepEqual(eventTypes(rig), ['accepted', 'quarantined', 'undelivered']);
      assert.equal(rig.queue.quarantine.count, 0);
      assert.deepEqual(auditStore(rig.kv), []);
    });
  }

  test('a message record that is missing sets its deliveries aside and stops neither sweep nor restart', async () => {
    const rig = await openRig();
    const bad = await accept(rig, { to: ['a@one.test', 'b@one.test'], lifetimeMs: HOUR });
    const good = await accept(rig, { lifetimeMs: HOUR });
    await rig.kv.commit([{ table: 'messages', key: numberKey(bad), value: undefined }]);
    rig.clock.advance(HOUR);
    await rig.queue.sweep();
    assert.equal(findDelivery(rig.queue.state, good, 1)?.state, 'undelivered');
    await lease(rig);
    assert.equal(rig.reports.filter(({ text }) => text.includes('set aside')).length, 2);
    assert.equal((await crash(rig)).queue.state.counters.sum().undelivered, 1);
  });
});
