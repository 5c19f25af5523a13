import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { findDelivery } from '../../../src/queue/index.ts';
import { queuesOf, wakeAt } from '../../support/queues.ts';
import { accept, crash, deferred, events, HOUR, keysOf, lease, openRig } from './fixture.ts';
import { run, sound, submit } from './jobs.ts';

describe('retry, move, change', () => {
  test('retry makes what waits for later due now, once', async () => {
    const rig = await openRig();
    await accept(rig, { delayMs: HOUR });
    const [leased] = (await accept(rig), await lease(rig));
    await rig.queue.record(leased!, deferred(rig, HOUR));
    const job = await run(rig, { op: 'retry' }, { domain: 'one.test' });
    assert.deepEqual([job.state, job.matched, job.done], ['done', 2, 2]);
    assert.equal((await lease(rig)).length, 2);
    sound(rig);
  });

  test('move takes mail to another node, leased mail when it comes back', async () => {
    const rig = await openRig();
    await accept(rig, { to: ['a@one.test', 'b@two.test'] });
    const [leased] = await lease(rig);
    const job = await submit(rig, { op: 'move', node: 'n2' }, { node: 'n1' });
    while (await rig.queue.operations.step());
    await rig.queue.record(leased!, deferred(rig, 0));
    while (await rig.queue.operations.step());
    assert.deepEqual([rig.queue.operations.get(job.id)!.done], [2]);
    assert.equal((await lease(rig, 'one.test', { node: 'n2' })).length, 1);
    assert.equal((await lease(rig, 'two.test', { node: 'n2' })).length, 1);
    assert.deepEqual(
      events(rig)
        .filter(({ next_node }) => next_node === 'n2')
        .map(({ type }) => type),
      ['moved', 'soft_bounce'],
    );
    sound(rig);
  });

  test('a move changes records before it takes their slots: each delivery keeps one, whatever comes between', async () => {
    let rig = await openRig();
    const to = Array.from({ length: 200 }, (_, i) => `r${i}@d${i % 3}.test`);
    const number = await accept(rig, { to, campaignId: 'spring', lifetimeMs: HOUR });
    await accept(rig, { to: ['x@d0.test', 'y@d0.test'], node: 'n2' });
    // One lease: the first of it comes back and waits, the second is still with a worker.
    const [back, away] = await lease(rig, 'd0.test', { limit: 2 });
    await rig.queue.record(back!, deferred(rig, 10));
    const { id } = await submit(rig, { op: 'move', node: 'n2' }, { node: 'n1' });
    while (rig.queue.operations.get(id)!.done === 0) await rig.queue.operations.step(0);
    const { done } = rig.queue.operations.get(id)!;
    assert.ok(done < 199, `${done}`);
    assert.equal(findDelivery(rig.queue.state, number, back!.index)?.record.node, 'n2');
    assert.equal(wakeAt(rig.queue, 'n1', 'd0.test'), Infinity, 'nothing is sent from where it was');
    sound(rig);
    const rows = (): object[] => [...rig.queue.state.counters.rows()].map(({ proc: _, ...row }) => row);
    const before = rows();
    rig = await crash(rig);
    assert.deepEqual(rows(), before);
    assert.equal(rig.recovered.returned, 1);
    assert.equal(findDelivery(rig.queue.state, number, away!.index)?.record.possibleDuplicate, true);
    sound(rig);
    while (rig.queue.operations.get(id)!.done < 200) await rig.queue.operations.step(0);
    rig = await crash(rig);
    assert.equal(rig.recovered.returned, 0);
    sound(rig);
    while (await rig.queue.operations.step());
    assert.deepEqual([rig.queue.operations.get(id)!.done, queuesOf(rig.queue, 'n1', 'd0.test')], [200, []]);
    const moved = events(rig).filter(({ type }) => type === 'moved');
    assert.equal(new Set(moved.map(({ delivery_id }) => delivery_id)).size, 200);
    assert.deepEqual([moved.length, moved[9]!.next_node, moved[9]!.node], [200, 'n2', 'n1']);
    rig.clock.advance(10);
    assert.equal((await lease(rig, 'd0.test', { node: 'n2' })).length, 69);
    sound(rig);
  });

  test('what outlives its time in the middle of a move ends with its slot', async () => {
    const rig = await openRig();
    await accept(rig, { to: Array.from({ length: 200 }, (_, i) => `r${i}@one.test`), lifetimeMs: HOUR });
    const { id } = await submit(rig, { op: 'move', node: 'n2' }, { node: 'n1' });
    while (rig.queue.operations.get(id)!.done === 0) await rig.queue.operations.step(0);
    rig.clock.advance(HOUR);
    await rig.queue.sweep();
    assert.deepEqual(keysOf(rig.kv, 'schedule'), []);
    assert.equal(rig.queue.state.counters.sum().undelivered, 200);
    sound(rig);
    while (await rig.queue.operations.step());
    sound(rig);
  });

  test('to another sender it goes by its nodes', async () => {
    const rig = await openRig();
    await accept(rig);
    await run(rig, { op: 'move', sender: 'other', nodes: ['n2'] }, { sender: 'promo' });
    const [row] = rig.queue.state.counters.rows();
    assert.deepEqual([row?.sender, row?.node], ['other', 'n2']);
    assert.equal((await lease(rig, 'one.test', { node: 'n2' }))[0]!.record.sender, 'other');
    sound(rig);
  });

  test('change gives mail another band', async () => {
    const rig = await openRig();
    const standard = await accept(rig);
    const changed = await accept(rig, { campaignId: 'code' });
    await run(rig, { op: 'change', band: 'priority' }, { campaign: 'code' });
    assert.deepEqual(
      (await lease(rig)).map(({ number }) => number),
      [changed, standard],
    );
    sound(rig);
  });

  test('a count of single deliveries takes leased ones in, and changes nothing', async () => {
    const rig = await openRig();
    await accept(rig, { to: ['a@one.test', 'b@one.test'] });
    await lease(rig, 'one.test', { limit: 1 });
    const operation = { op: 'purge' } as const;
    const count = rig.queue.operations.count({ operation, selector: { recipient: 'a@one.test' }, text: '' });
    while (!count.step());
    assert.equal(count.record.matched, 1);
    const all = rig.queue.operations.count({ operation, selector: {}, text: '' });
    assert.equal(all.record.matched, 2);
    assert.equal(rig.queue.state.counters.sum().queued, 2);
  });
});
