import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { deliveryIdOf } from '../../../src/core/index.ts';
import { deliveriesOf, findDelivery } from '../../../src/queue/index.ts';
import { auditStore } from '../../support/audit.ts';
import {
  accept,
  deliveriesFor,
  delivered,
  events,
  eventTypes,
  HOUR,
  keysOf,
  lease,
  newMessage,
  openRig,
  type Rig,
} from './fixture.ts';

/** Adds recipients to an open message. */
const append = (
  rig: Rig,
  number: number,
  to: readonly string[],
  { close = false, from = 2 }: { readonly close?: boolean; readonly from?: number } = {},
): Promise<void> => rig.queue.accept({ number, deliveries: deliveriesFor(rig, { to }, from), close });

describe('acceptance', () => {
  test('a message of one recipient is stored, journaled and counted', async () => {
    const rig = await openRig();
    const number = await accept(rig, { campaignId: 'spring', accountId: 'acme', metadata: { a: 1 } });
    const found = findDelivery(rig.queue.state, number, 1);
    assert.equal(found?.state, 'new');
    assert.equal(found.message.campaignId, 'spring');
    const [event] = events(rig);
    assert.equal(event?.type, 'accepted');
    assert.equal(event.delivery_id, deliveryIdOf(number, 1));
    assert.equal(event.time, new Date(rig.clock.now()).toISOString());
    assert.deepEqual([event.campaign_id, event.account_id, event.metadata], ['spring', 'acme', { a: 1 }]);
    assert.deepEqual(
      { ...rig.queue.state.counters.sum() },
      {
        accepted: 1,
        delivered: 0,
        hard_bounced: 0,
        undelivered: 0,
        removed: 0,
        soft_bounces: 0,
        complaints: 0,
        unsubscribes: 0,
        queued: 1,
      },
    );
    assert.deepEqual(auditStore(rig.kv), []);
  });

  test('a message of several recipients has its content once and a place for each', async () => {
    const rig = await openRig();
    const number = await accept(rig, { to: ['a@one.test', 'b@one.test', 'c@two.test'] });
    assert.equal(keysOf(rig.kv, 'contents').length, 1);
    assert.equal(keysOf(rig.kv, 'schedule').length, 3);
    assert.deepEqual(
      deliveriesOf(rig.queue.state, number, 10).map(({ index, record }) => [index, record.recipient]),
      [
        [1, 'a@one.test'],
        [2, 'b@one.test'],
        [3, 'c@two.test'],
      ],
    );
    assert.deepEqual(eventTypes(rig), ['accepted', 'accepted', 'accepted']);
    assert.deepEqual(auditStore(rig.kv), []);
  });

  test('a message to nobody leaves no content behind', async () => {
    const rig = await openRig();
    await accept(rig, { to: [] });
    assert.deepEqual(keysOf(rig.kv, 'contents'), []);
    assert.deepEqual(auditStore(rig.kv), []);
  });

  test('the dispatcher is told when a queue wakes earlier than it knew, and only then', async () => {
    const rig = await openRig();
    const now = rig.clock.now();
    await accept(rig, { delayMs: HOUR });
    await accept(rig, { delayMs: 2 * HOUR });
    await accept(rig, {});
    assert.deepEqual(rig.dispatcher.wakes, [`n1 one.test ${now + HOUR}`, `n1 one.test ${now}`]);
    assert.deepEqual(
      [...rig.queue.state.schedule.heads()].map(({ domain, wakeAt }) => [domain, wakeAt]),
      [['one.test', now]],
    );
  });

  test('works that are submitted together share one commit', async () => {
    const commits: number[] = [];
    const rig = await openRig();
    const before = rig.queue.state.journal.last;
    await Promise.all([accept(rig), accept(rig), accept(rig)]);
    for (const { key } of rig.kv.range('journal', {})) commits.push(key.readUInt32BE(4));
    assert.deepEqual(commits, [before + 1]);
  });
});

describe('acceptance with a claim', () => {
  test('what the dispatcher can start at once is leased in the accepting commit', async () => {
    const rig = await openRig();
    rig.dispatcher.places.set('n1 one.test', 1);
    const number = await accept(rig, { to: ['a@one.test', 'b@one.test'], content: 'body' });
    assert.deepEqual(
      rig.dispatcher.delivered.map(({ index, content }) => [index, content.toString()]),
      [[1, 'body']],
    );
    assert.equal(findDelivery(rig.queue.state, number, 1)?.state, 'proc');
    assert.equal(findDelivery(rig.queue.state, number, 2)?.state, 'new');
    assert.equal(keysOf(rig.kv, 'schedule').length, 1);
    assert.equal(keysOf(rig.kv, 'leases').length, 1);
    assert.deepEqual(auditStore(rig.kv), []);
  });

  test('a claimed delivery is not leased a second time, and its outcome ends it', async () => {
    const rig = await openRig();
    rig.dispatcher.places.set('n1 one.test', 1);
    await accept(rig);
    assert.deepEqual(await lease(rig), []);
    await rig.queue.record(rig.dispatcher.delivered[0]!, delivered(rig));
    assert.deepEqual(keysOf(rig.kv, 'deliveries'), []);
    assert.deepEqual(auditStore(rig.kv), []);
  });

  test('what is to wait is not claimed', async () => {
    const rig = await openRig();
    rig.dispatcher.places.set('n1 one.test', 1);
    await accept(rig, { delayMs: 1 });
    assert.equal(rig.dispatcher.places.get('n1 one.test'), 1);
    assert.equal(rig.dispatcher.delivered.length, 0);
  });
});

describe('a batch', () => {
  test('takes recipients until it is closed; its content outlives what was delivered meanwhile', async () => {
    const rig = await openRig();
    const number = await accept(rig, { to: ['a@one.test'], open: true });
    await rig.queue.record((await lease(rig))[0]!, delivered(rig));
    assert.equal(keysOf(rig.kv, 'contents').length, 1);
    assert.deepEqual(auditStore(rig.kv), []);
    await append(rig, number, ['b@one.test', 'c@one.test']);
    await append(rig, number, ['d@one.test'], { close: true, from: 4 });
    assert.deepEqual(
      deliveriesOf(rig.queue.state, number, 10).map(({ record }) => record.recipient),
      ['a@one.test', 'b@one.test', 'c@one.test', 'd@one.test'],
    );
    assert.deepEqual(auditStore(rig.kv), []);
    await Promise.all((await lease(rig)).map((delivery) => rig.queue.record(delivery, delivered(rig))));
    assert.deepEqual(keysOf(rig.kv, 'contents'), []);
    assert.equal(rig.queue.state.counters.sum().delivered, 4);
    assert.deepEqual(auditStore(rig.kv), []);
  });

  test('that is closed without further recipients lets its content go', async () => {
    const rig = await openRig();
    const number = await accept(rig, { to: [], open: true });
    assert.equal(keysOf(rig.kv, 'contents').length, 1);
    await append(rig, number, [], { close: true });
    assert.deepEqual(keysOf(rig.kv, 'contents'), []);
    assert.deepEqual(auditStore(rig.kv), []);
  });

  test('that is closed, or was never open, refuses more; others in the same commit go on', async () => {
    const rig = await openRig();
    const number = await accept(rig, { to: ['a@one.test'], open: true });
    await append(rig, number, [], { close: true });
    const [refusal, other] = await Promise.allSettled([append(rig, number, ['b@one.test']), accept(rig)]);
    assert.match(String(refusal.status === 'rejected' && refusal.reason), /takes no more recipients/);
    assert.equal(other.status, 'fulfilled');
    await assert.rejects(append(rig, await accept(rig), ['b@one.test']), /takes no more recipients/);
    assert.equal(rig.queue.state.counters.sum().accepted, 3);
    assert.deepEqual(auditStore(rig.kv), []);
  });

  test('opened, filled and closed in one commit keeps its count', async () => {
    const rig = await openRig();
    const input = newMessage(rig, { to: ['a@one.test'], open: true });
    await Promise.all([
      rig.queue.accept(input),
      append(rig, input.number, ['b@one.test']),
      append(rig, input.number, ['c@one.test'], { close: true, from: 3 }),
    ]);
    assert.equal((await lease(rig)).length, 3);
    assert.deepEqual(auditStore(rig.kv), []);
  });

  test('what is appended and claimed carries the content, also in the commit that opens the batch', async () => {
    const rig = await openRig();
    rig.dispatcher.places.set('n1 one.test', 9);
    const input = newMessage(rig, { to: ['a@one.test'], open: true, content: 'body' });
    await Promise.all([rig.queue.accept(input), append(rig, input.number, ['b@one.test'])]);
    await append(rig, input.number, ['c@one.test'], { close: true, from: 3 });
    const handed = [...rig.dispatcher.delivered, ...(await lease(rig))];
    assert.deepEqual(
      handed.map(({ content }) => content.toString()),
      ['body', 'body', 'body'],
    );
    assert.deepEqual(auditStore(rig.kv), []);
  });
});
