/** How many deliveries of each sender have ended today: right over restarts, and from midnight on a new count. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseTextKey } from '../../../src/queue/keys.ts';
import { auditStore } from '../../support/audit.ts';
import {
  accept,
  acceptLeased,
  crash,
  DAY,
  deferred,
  delivered,
  dropped,
  failed,
  HOUR,
  lease,
  openRig,
  type Rig,
} from './fixture.ts';
import { run } from './jobs.ts';

const today = ({ queue, clock }: Rig, sender = 'promo'): number =>
  queue.state.endedToday.of(sender, clock.now());

/** Accepts mail and ends all that is due of it. */
async function end(rig: Rig, count = 1): Promise<void> {
  await accept(rig, { to: Array.from({ length: count }, (_, i) => `u${i}@one.test`) });
  for (const delivery of await lease(rig)) await rig.queue.record(delivery, delivered(rig));
}

/** Senders of which the store has a count. */
const stored = ({ kv }: Rig): string[] =>
  [...kv.range('meta', {})]
    .map(({ key }) => parseTextKey(key))
    .flatMap(([kind, sender]) => (kind === 'ended' ? [sender!] : []));

describe('what ended today', () => {
  test('is what was delivered, given up or removed, and nothing that goes on', async () => {
    const rig = await openRig();
    const to = ['a@one.test', 'b@one.test', 'c@one.test', 'd@one.test', 'e@one.test', 'f@one.test'];
    await accept(rig, { to });
    const outcomes = [delivered(rig), failed(rig), dropped(rig), deferred(rig)];
    for (const [i, delivery] of (await lease(rig, 'one.test', { limit: 4 })).entries())
      await rig.queue.record(delivery, outcomes[i]!);
    assert.deepEqual([today(rig), today(rig, 'other')], [3, 0]);
    await run(rig, { op: 'change', sender: 'other', nodes: ['n1'] }, { recipient: 'e@one.test' });
    assert.deepEqual([today(rig), today(rig, 'other')], [3, 0], 'what is moved goes on');
    await run(rig, { op: 'purge' }, {});
    assert.deepEqual([today(rig), today(rig, 'other')], [5, 1]);
  });

  test('comes back from the journal, from a snapshot and the journal after it, and from a close', async () => {
    const rig = await openRig();
    await end(rig, 3);
    assert.deepEqual(stored(rig), [], 'no snapshot yet');
    let again = await crash(rig);
    assert.equal(today(again), 3);
    again.clock.advance(6_000);
    await end(again);
    assert.deepEqual(stored(again), ['promo']);
    await end(again, 2);
    again = await crash(again);
    assert.equal(today(again), 6);
    await again.queue.close();
    again = await openRig(again);
    assert.equal(today(again), 6);
    assert.deepEqual(auditStore(again.kv), []);
  });

  test('begins anew at midnight of the time zone, with a restart in between too', async () => {
    for (const restarts of [false, true]) {
      const timezone = 'Asia/Tokyo';
      let rig = await openRig({ timezone });
      // 23:59 in Tokyo.
      rig.clock.advance(15 * HOUR - 60_000 - 1_000);
      await end(rig, 2);
      assert.equal(today(rig), 2);
      rig.clock.advance(59_999);
      assert.equal(today(rig), 2);
      rig.clock.advance(1);
      assert.equal(today(rig), 0);
      if (restarts) rig = await openRig({ ...rig, kv: rig.store, timezone });
      assert.equal(today(rig), 0);
      await end(rig);
      rig.clock.advance(6_000);
      await end(rig, 2);
      assert.equal(today(rig), 3);
    }
  });

  test('of a sender that ended nothing since midnight leaves the store', async () => {
    const rig = await openRig();
    await end(rig);
    await run(rig, { op: 'change', sender: 'other', nodes: ['n1'] }, { node: 'n1' });
    await accept(rig);
    await run(rig, { op: 'change', sender: 'other', nodes: ['n1'] }, { node: 'n1' });
    await run(rig, { op: 'purge' }, { sender: 'other' });
    rig.clock.advance(6_000);
    await end(rig);
    assert.deepEqual(stored(rig), ['other', 'promo']);
    rig.clock.advance(DAY);
    await end(rig);
    rig.clock.advance(6_000);
    await end(rig);
    assert.deepEqual(stored(rig), ['promo']);
    // Also when nobody was there at midnight.
    rig.clock.advance(DAY);
    const again = await crash(rig);
    assert.equal(today(again), 0);
  });

  test('goes on after the clock was set back', async () => {
    const rig = await openRig();
    rig.clock.step(40 * DAY);
    await end(rig, 5);
    rig.clock.step(-40 * DAY);
    assert.equal(today(rig), 0);
    await end(rig, 2);
    assert.equal(today(rig), 2);
  });

  test('that is damaged in the store counts from there', async () => {
    const rig = await openRig();
    await end(rig, 2);
    rig.clock.advance(6_000);
    await rig.queue.record(await acceptLeased(rig), delivered(rig));
    await rig.queue.close();
    const [entry] = [...rig.store.range('meta', {})].filter(({ key }) => parseTextKey(key)[0] === 'ended');
    await rig.store.commit([{ table: 'meta', key: entry!.key, value: Buffer.from('rubbish') }]);
    const again = await openRig({ ...rig, kv: rig.store });
    assert.equal(again.reports.length, 1);
    assert.equal(today(again), 0);
    await end(again);
    assert.equal(today(again), 1);
  });
});
