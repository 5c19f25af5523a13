import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  answerOps,
  deliveriesOf,
  findAnswer,
  findDelivery,
  hasContent,
  listDeliveries,
  type NewMessage,
  oldestQueued,
} from '../../../src/queue/index.ts';
import { deliveryKey, numberKey } from '../../../src/queue/keys.ts';
import { auditStore } from '../../support/audit.ts';
import { wakeAt } from '../../support/queues.ts';
import {
  accept,
  crash,
  DAY,
  deferred,
  delivered,
  eventTypes,
  HOUR,
  keysOf,
  lease,
  newMessage,
  openRig,
  type Rig,
  type Wish,
} from './fixture.ts';

const trimHistory = (rig: Rig, historyBefore: number): Promise<number> =>
  rig.queue.trim({ historyBefore, journalBefore: 0 });

describe('sweep', () => {
  test('over several slices ends exactly what has outlived its lifetime', { timeout: 20_000 }, async () => {
    const rig = await openRig();
    // 1,200 deliveries are three slices; every third one expires first, in messages of one and of many recipients.
    const many = Array.from({ length: 300 }, (_, i) => `u${i}@one.test`);
    await accept(rig, { to: many, lifetimeMs: HOUR });
    await accept(rig, { to: many, lifetimeMs: 3 * HOUR });
    const singles = Array.from({ length: 600 }, (_, i) =>
      accept(rig, { lifetimeMs: i % 3 === 0 ? HOUR : 3 * HOUR }),
    );
    await Promise.all(singles);
    rig.clock.advance(2 * HOUR);
    await rig.queue.sweep();
    const { undelivered, queued } = rig.queue.state.counters.sum();
    assert.deepEqual([undelivered, queued], [500, 700]);
    assert.deepEqual(auditStore(rig.kv), []);
    rig.clock.advance(HOUR);
    await rig.queue.sweep();
    assert.deepEqual(keysOf(rig.kv, 'deliveries'), []);
    assert.deepEqual(keysOf(rig.kv, 'contents'), []);
    assert.deepEqual(auditStore(rig.kv), []);
  });

  test('leaves a leased delivery to its outcome', async () => {
    const rig = await openRig();
    const number = await accept(rig, { lifetimeMs: HOUR });
    const [delivery] = await lease(rig);
    rig.clock.advance(2 * HOUR);
    await rig.queue.sweep();
    assert.equal(findDelivery(rig.queue.state, number, 1)?.state, 'proc');
    await rig.queue.record(delivery!, deferred(rig));
    await rig.queue.sweep();
    assert.deepEqual(eventTypes(rig), ['accepted', 'soft_bounce', 'undelivered']);
    assert.deepEqual(auditStore(rig.kv), []);
  });

  test('and a lease in one commit end an expired delivery once', async () => {
    const rig = await openRig();
    await accept(rig, { lifetimeMs: HOUR, to: ['a@one.test', 'b@one.test'] });
    rig.clock.advance(HOUR);
    await Promise.all([rig.queue.sweep(), lease(rig), rig.queue.sweep(), lease(rig)]);
    assert.deepEqual(eventTypes(rig), ['accepted', 'accepted', 'undelivered', 'undelivered']);
    assert.deepEqual(auditStore(rig.kv), []);
  });

  test('and an outcome in one commit leave one of them', async () => {
    const rig = await openRig();
    await accept(rig, { lifetimeMs: HOUR });
    const [delivery] = await lease(rig);
    rig.clock.advance(HOUR);
    await Promise.all([rig.queue.record(delivery!, deferred(rig)), rig.queue.sweep()]);
    assert.deepEqual(eventTypes(rig), ['accepted', 'soft_bounce']);
    assert.deepEqual(auditStore(rig.kv), []);
  });

  test('tells the oldest acceptance of each domain, and forgets the head of an emptied queue', async () => {
    const rig = await openRig();
    const start = rig.clock.now();
    await accept(rig, { to: ['a@one.test', 'b@two.test'], lifetimeMs: HOUR });
    rig.clock.advance(HOUR);
    await accept(rig, { to: ['a@one.test'] });
    assert.deepEqual(
      [...(await rig.queue.sweep())],
      [
        ['one.test', start],
        ['two.test', start],
      ],
    );
    assert.deepEqual([...(await rig.queue.sweep())], [['one.test', start + HOUR]]);
    assert.equal(wakeAt(rig.queue, 'n1', 'two.test'), Infinity);
    assert.equal(oldestQueued(rig.queue.state), start + HOUR);
  });

  test('passes over damaged records', async () => {
    const rig = await openRig();
    const bad = await accept(rig, { lifetimeMs: HOUR });
    await accept(rig, { lifetimeMs: HOUR });
    await rig.kv.commit([{ table: 'deliveries', key: deliveryKey(bad, 1), value: Buffer.from('rubbish') }]);
    rig.clock.advance(HOUR);
    await rig.queue.sweep();
    assert.equal(rig.queue.state.counters.sum().undelivered, 1);
  });
});

describe('trim', () => {
  /** A message of two whose deliveries end two days apart, and one of one recipient. */
  async function finished(): Promise<{ rig: Rig; pair: number; single: number; start: number }> {
    const rig = await openRig();
    const start = rig.clock.now();
    const pair = await accept(rig, { to: ['a@one.test', 'b@one.test'], lifetimeMs: 9 * DAY });
    const single = await accept(rig);
    const [first, second, other] = await lease(rig);
    await rig.queue.record(first!, delivered(rig));
    await rig.queue.record(other!, delivered(rig));
    await rig.queue.record(second!, deferred(rig, 2 * DAY));
    rig.clock.advance(2 * DAY);
    await rig.queue.record((await lease(rig))[0]!, delivered(rig));
    return { rig, pair, single, start };
  }

  test('removes what ended before the bound, and the message with its last delivery', async () => {
    const { rig, pair, single, start } = await finished();
    await trimHistory(rig, start);
    assert.equal(keysOf(rig.kv, 'history').length, 3);
    await trimHistory(rig, start + 1);
    assert.deepEqual(
      deliveriesOf(rig.queue.state, pair, 9).map(({ index }) => index),
      [2],
    );
    assert.equal(findDelivery(rig.queue.state, pair, 2)?.state, 'delivered');
    assert.equal(keysOf(rig.kv, 'messages').length, 1);
    await trimHistory(rig, rig.clock.now() + 1);
    assert.equal(findDelivery(rig.queue.state, single, 1), undefined);
    for (const table of ['history', 'messages', 'contents'] as const)
      assert.deepEqual(keysOf(rig.kv, table), []);
    assert.deepEqual(auditStore(rig.kv), []);
  });

  test('keeps the message of what is queued or still open', async () => {
    const rig = await openRig();
    await accept(rig, { to: ['a@one.test', 'b@one.test'] });
    const open = await accept(rig, { to: ['c@one.test'], open: true });
    for (const delivery of (await lease(rig)).slice(1)) await rig.queue.record(delivery, delivered(rig));
    rig.clock.advance(DAY);
    await trimHistory(rig, rig.clock.now());
    assert.deepEqual(keysOf(rig.kv, 'history'), []);
    assert.equal(keysOf(rig.kv, 'messages').length, 2);
    assert.equal(hasContent(rig.queue.state, open), true);
    assert.deepEqual(auditStore(rig.kv), []);
  });

  test('goes on past a damaged message record', async () => {
    const { rig, pair } = await finished();
    const other = await accept(rig, { to: [] });
    await rig.kv.commit([{ table: 'messages', key: numberKey(pair), value: Buffer.from('rubbish') }]);
    rig.clock.advance(DAY);
    await trimHistory(rig, rig.clock.now());
    assert.deepEqual(keysOf(rig.kv, 'messages'), [numberKey(pair).toString('hex')]);
    assert.notEqual(other, pair);
  });

  test('leaves the lines of an open batch, and forgets those of all others', async () => {
    const rig = await openRig();
    const keyed = (wish: Wish): NewMessage => {
      const input = newMessage(rig, wish);
      const answer = { number: input.number, at: rig.clock.now(), digest: 'digest', answer: undefined };
      return { ...input, also: answerOps(`shop\0${input.number}`, answer) };
    };
    const messages = [{}, { open: true }, {}, { open: true }, {}].map(keyed);
    for (const message of messages) await rig.queue.accept(message);
    rig.clock.advance(DAY);
    const bounds = { historyBefore: 0, journalBefore: 0, answersBefore: rig.clock.now() };
    assert.equal(await rig.queue.trim(bounds), 3);
    const open = [messages[1]!, messages[3]!].map(({ number }) => deliveryKey(number, 0).toString('hex'));
    assert.deepEqual(keysOf(rig.kv, 'lines'), open);
    assert.equal(keysOf(rig.kv, 'answers').length, 2);
  });

  for (const first of ['trim', 'accept'] as const) {
    test(`and a key that is used anew in one commit, ${first} first: the new answer stays`, async () => {
      const rig = await openRig();
      const keyed = (): NewMessage => {
        const input = newMessage(rig, {});
        const answer = { number: input.number, at: rig.clock.now(), digest: 'digest', answer: undefined };
        return { ...input, also: answerOps('shop\0order-17', answer) };
      };
      await rig.queue.accept(keyed());
      rig.clock.advance(DAY);
      const anew = keyed();
      const works = {
        trim: () =>
          rig.queue.trim({ historyBefore: 0, journalBefore: 0, answersBefore: rig.clock.now() - HOUR }),
        accept: () => rig.queue.accept(anew),
      };
      const second = first === 'trim' ? 'accept' : 'trim';
      await Promise.all([works[first](), works[second]()]);
      const answer = findAnswer(rig.queue.state, 'shop\0order-17');
      assert.equal(typeof answer === 'object' && answer.number, anew.number);
      assert.equal(keysOf(rig.kv, 'lines').length, 1);
      assert.deepEqual(auditStore(rig.kv), []);
    });
  }

  test('a delivery that stays does not keep the recipients of the later ones', async () => {
    const rig = await openRig();
    const bad = await accept(rig, { lifetimeMs: 1 });
    await rig.kv.commit([{ table: 'deliveries', key: deliveryKey(bad, 1), value: Buffer.from('rubbish') }]);
    for (let i = 0; i < 50; i++) await accept(rig, { lifetimeMs: 1 });
    const last = await accept(rig, { lifetimeMs: 9 * DAY });
    const groups = keysOf(rig.kv, 'recipients');
    rig.clock.advance(DAY);
    await rig.queue.sweep();
    for (let i = 0; i < 4; i++) await trimHistory(rig, rig.clock.now() + 1);
    assert.deepEqual(keysOf(rig.kv, 'recipients'), [groups[0], groups.at(-1)]);
    assert.equal(keysOf(rig.kv, 'deliveries').length, 2);
    assert.equal(
      listDeliveries(rig.queue.state, { recipient: 'a@one.test', limit: 9 }).deliveries[0]!.number,
      last,
    );
  });

  test('removes more than one slice', { timeout: 20_000 }, async () => {
    const rig = await openRig();
    await accept(rig, { to: Array.from({ length: 1_100 }, (_, i) => `u${i}@one.test`), lifetimeMs: 1 });
    rig.clock.advance(1);
    await rig.queue.sweep();
    assert.equal(await trimHistory(rig, rig.clock.now() + 1), 1_102);
    assert.deepEqual(keysOf(rig.kv, 'history'), []);
    assert.deepEqual(keysOf(rig.kv, 'recipients'), []);
    assert.deepEqual(auditStore(rig.kv), []);
  });
});

describe('merging the recipient index', () => {
  test('makes one group of many small ones; each recipient is found as before, and it goes like the others', async () => {
    const rig = await openRig();
    const find = (recipient: string): number =>
      listDeliveries(rig.queue.state, { recipient, limit: 10 }).deliveries.length;
    for (let i = 0; i < 30; i++) await accept(rig, { to: [`u${i}@one.test`], lifetimeMs: 1 });
    await rig.queue.mergeRecipients();
    assert.equal(keysOf(rig.kv, 'recipients').length, 1);
    for (let i = 30; i < 40; i++) await accept(rig, { to: [`u${i}@one.test`], lifetimeMs: DAY });
    await rig.queue.mergeRecipients();
    assert.equal(keysOf(rig.kv, 'recipients').length, 1);
    for (let i = 0; i < 40; i++) assert.equal(find(`u${i}@one.test`), 1);
    rig.clock.advance(HOUR);
    await rig.queue.sweep();
    await trimHistory(rig, rig.clock.now() + 1);
    assert.equal(keysOf(rig.kv, 'recipients').length, 1, 'some of its deliveries are queued');
    rig.clock.advance(DAY);
    await rig.queue.sweep();
    await trimHistory(rig, rig.clock.now() + 1);
    assert.deepEqual(keysOf(rig.kv, 'recipients'), []);
  });

  test('leaves large groups alone, and a damaged one where it is', async () => {
    const rig = await openRig();
    const large = Array.from({ length: 5_000 }, (_, i) => `l${i}@one.test`);
    await accept(rig, { to: ['a@one.test'] });
    await accept(rig, { to: large });
    await accept(rig, { to: ['b@one.test'] });
    await accept(rig, { to: ['c@one.test'] });
    const before = keysOf(rig.kv, 'recipients');
    await rig.kv.commit([
      { table: 'recipients', key: Buffer.from(before[0]!, 'hex'), value: Buffer.from('damaged') },
    ]);
    await rig.queue.mergeRecipients();
    assert.deepEqual(keysOf(rig.kv, 'recipients'), before.slice(0, 3));
    const { deliveries } = listDeliveries(rig.queue.state, { recipient: 'c@one.test', limit: 10 });
    assert.equal(deliveries.length, 1);
  });
});

describe('prune', () => {
  test('forgets queues that hold nothing, keeps the others, also over a restart', async () => {
    const rig = await openRig();
    await accept(rig, { to: ['a@one.test', 'b@two.test'] });
    await rig.queue.record((await lease(rig))[0]!, delivered(rig));
    await rig.queue.prune();
    assert.equal(rig.queue.state.schedule.size, 1);
    assert.equal(keysOf(rig.kv, 'queues').length, 1);
    const again = await crash(rig);
    assert.deepEqual(
      [...again.queue.state.schedule.heads()].map(({ domain }) => domain),
      ['two.test'],
    );
    assert.deepEqual(auditStore(rig.kv), []);
  });

  test('of a queue whose delivery is leased does not lose the delivery', async () => {
    const rig = await openRig();
    await accept(rig);
    const [delivery] = await lease(rig);
    await rig.queue.prune();
    assert.equal(rig.queue.state.schedule.size, 0);
    await rig.queue.record(delivery!, deferred(rig, 0));
    assert.deepEqual(auditStore(rig.kv), []);
    assert.equal((await lease(rig)).length, 1);
  });

  test('together with an acceptance for the queue, in either order, keeps what was accepted', async () => {
    for (const first of ['prune', 'accept'] as const) {
      const rig = await openRig();
      await accept(rig);
      await rig.queue.record((await lease(rig))[0]!, delivered(rig));
      await Promise.all(
        first === 'prune' ? [rig.queue.prune(), accept(rig)] : [accept(rig), rig.queue.prune()],
      );
      assert.deepEqual(auditStore(rig.kv), []);
      assert.equal((await lease(rig)).length, 1);
      await rig.queue.record((await lease(await crash(rig)))[0]!, delivered(rig));
    }
  });
});
