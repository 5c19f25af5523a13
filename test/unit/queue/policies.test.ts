import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { deliveryIdOf, parseDeliveryId } from '../../../src/core/index.ts';
import { findDelivery, type SendLimit } from '../../../src/queue/index.ts';
import { auditStore } from '../../support/audit.ts';
import { crash, DAY, deliveriesFor, events, FaultyKv, newMessage, openRig, type Rig } from './fixture.ts';

const weekly = (more: Partial<SendLimit> = {}): SendLimit => ({
  policy: 'weekly',
  scope: 'shop',
  max: 2,
  windowMs: 7 * DAY,
  ...more,
});

/** Accepts a message; the recipients that a policy refused. */
async function send(
  rig: Rig,
  limits: readonly SendLimit[],
  ...to: readonly string[]
): Promise<readonly string[]> {
  const input = { ...newMessage(rig, { to }), limits };
  await rig.queue.accept(input);
  assert.deepEqual(auditStore(rig.kv), []);
  return events(rig)
    .filter(
      (event) => event.type === 'undelivered' && event.delivery_id?.startsWith(`${idOf(input.number)}.`),
    )
    .map(({ recipient }) => recipient!);
}
const idOf = (number: number): string => deliveryIdOf(number, 1).split('.')[0]!;
const counts = (rig: Rig): number => [...rig.kv.range('policies', {})].length;

describe('sending policies', () => {
  test('what is beyond ends in the commit that accepts it, with accepted and undelivered', async () => {
    const rig = await openRig();
    assert.deepEqual(await send(rig, [weekly()], 'a@one.test'), []);
    assert.deepEqual(await send(rig, [weekly()], 'A@ONE.test', 'b@one.test'), []);
    const before = rig.queue.state.counters.sum();
    assert.deepEqual(await send(rig, [weekly()], 'a@one.test', 'b@one.test', 'c@one.test'), ['a@one.test']);
    const [accepted, ended] = events(rig)
      .filter(({ recipient }) => recipient === 'a@one.test')
      .slice(-2);
    assert.deepEqual(
      [accepted!.type, ended!.type, ended!.reason, ended!.bounce?.rule],
      ['accepted', 'undelivered', 'policy', 'weekly'],
    );
    const sum = rig.queue.state.counters.sum();
    assert.equal(sum.undelivered, before.undelivered + 1);
    assert.equal(sum.queued, before.queued + 2);
    const { number, index } = parseDeliveryId(ended!.delivery_id!)!;
    const found = findDelivery(rig.queue.state, number, index);
    assert.equal(found?.state, 'undelivered');
  });

  test('a message whose only recipient is refused leaves no content and no slot', async () => {
    const rig = await openRig();
    for (let i = 0; i < 2; i++) await send(rig, [weekly()], 'a@one.test');
    const before = [...rig.kv.range('contents', {})].length;
    assert.deepEqual(await send(rig, [weekly()], 'a@one.test'), ['a@one.test']);
    assert.equal([...rig.kv.range('contents', {})].length, before);
    assert.deepEqual(await send(rig, [weekly({ max: 1 })], 'a@one.test', 'A@one.test'), [
      'a@one.test',
      'A@one.test',
    ]);
    assert.equal([...rig.kv.range('contents', {})].length, before);
  });

  test('the window slides, and scopes and policies count for themselves', async () => {
    const rig = await openRig();
    const refused = (limit: SendLimit): Promise<readonly string[]> => send(rig, [limit], 'a@one.test');
    await refused(weekly());
    rig.clock.advance(4 * DAY);
    await refused(weekly());
    rig.clock.advance(3 * DAY - 1000);
    assert.equal((await refused(weekly())).length, 1, 'the first is 7 days less a second old');
    assert.equal((await refused(weekly({ scope: 'other' }))).length, 0);
    assert.equal((await refused(weekly({ policy: 'second' }))).length, 0);
    rig.clock.advance(1000);
    assert.equal((await refused(weekly())).length, 0);
    assert.equal((await refused(weekly())).length, 1);
  });

  test('a message that one policy refuses is counted by none', async () => {
    const rig = await openRig();
    const both = [weekly({ policy: 'all' }), weekly({ max: 1 })];
    await send(rig, both, 'a@one.test');
    assert.equal((await send(rig, both, 'a@one.test')).length, 1);
    assert.equal((await send(rig, both.slice(0, 1), 'a@one.test')).length, 0, 'all has counted one');
  });

  test('counts of works that share a commit see each other, and survive a crash', async () => {
    const rig = await openRig();
    const messages = Array.from({ length: 5 }, () => ({
      ...newMessage(rig, { to: ['a@one.test'] }),
      limits: [weekly()],
    }));
    await Promise.all(messages.map((message) => rig.queue.accept(message)));
    const ended = (of: Rig): number => events(of).filter(({ reason }) => reason === 'policy').length;
    assert.equal(ended(rig), 3);
    const again = await crash(rig);
    await send(again, [weekly()], 'a@one.test');
    assert.equal(ended(again), 4);
  });

  test('a commit that fails counts nothing', async () => {
    const kv = new FaultyKv();
    const rig = await openRig({ kv });
    kv.failures = 1;
    await assert.rejects(rig.queue.accept({ ...newMessage(rig), limits: [weekly()] }), /disk is full/);
    assert.deepEqual(await send(rig, [weekly({ max: 1 })], 'a@one.test'), []);
  });

  test('additions to an open batch are counted too', async () => {
    const rig = await openRig();
    const input = newMessage(rig, { to: [], open: true });
    await rig.queue.accept(input);
    const add = (close: boolean): Promise<void> =>
      rig.queue.accept({
        number: input.number,
        deliveries: deliveriesFor(rig, { to: ['a@one.test', 'b@one.test'] }, close ? 3 : 1),
        close,
        limits: [weekly({ max: 1 })],
      });
    await add(false);
    await add(true);
    assert.deepEqual(auditStore(rig.kv), []);
    assert.equal(events(rig).filter(({ reason }) => reason === 'policy').length, 2);
    assert.equal(rig.queue.state.counters.sum().queued, 2);
  });

  test('what is over is removed slice by slice, and nothing else', async () => {
    const rig = await openRig();
    const many = (name: string): string[] => Array.from({ length: 25 }, (_, i) => `${name}${i}@one.test`);
    await send(rig, [weekly()], ...many('old'));
    rig.clock.advance(6 * DAY);
    await send(rig, [weekly()], ...many('new'));
    rig.clock.advance(DAY);
    assert.equal(counts(rig), 50);
    let removed = 0;
    for (let i = 0; i < 6; i++) removed += await rig.queue.policies.expire(10);
    assert.deepEqual([removed, counts(rig)], [25, 25]);
    rig.clock.advance(6 * DAY);
    for (let i = 0; i < 6; i++) removed += await rig.queue.policies.expire(10);
    assert.deepEqual([removed, counts(rig)], [50, 0]);
  });
});
