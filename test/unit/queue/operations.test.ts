import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { findDelivery, type JobRecord, type Operation, type Selector } from '../../../src/queue/index.ts';
import { auditStore } from '../../support/audit.ts';
import { queuesOf, wakeAt } from '../../support/queues.ts';
import { numberKey } from '../../../src/queue/keys.ts';
import {
  accept,
  crash,
  deferred,
  delivered,
  events,
  HOUR,
  keysOf,
  lease,
  openRig,
  type Rig,
} from './fixture.ts';

const submit = (rig: Rig, operation: Operation, selector: Selector): Promise<JobRecord> =>
  rig.queue.operations.submit({ operation, selector, text: operation.op });

/** Works all jobs off; gives what is said of this one then. */
async function run(rig: Rig, operation: Operation, selector: Selector): Promise<JobRecord> {
  const { id } = await submit(rig, operation, selector);
  while (await rig.queue.operations.step());
  return rig.queue.operations.get(id)!;
}

const held = (rig: Rig): number => {
  let count = 0;
  for (const row of rig.queue.state.counters.rows())
    count += rig.queue.state.schedule.heldOf(row, row.new + row.retry - row.proc);
  return count;
};

const stateOf = (rig: Rig, number: number, index = 1): string | undefined =>
  findDelivery(rig.queue.state, number, index)?.state;

function sound(rig: Rig): void {
  assert.deepEqual(auditStore(rig.kv), []);
}

describe('hold', () => {
  test('keeps mail of a campaign, what is there and what comes, until it is released', async () => {
    const rig = await openRig();
    await accept(rig, { campaignId: 'spring', to: ['a@one.test', 'b@two.test'] });
    await accept(rig, { campaignId: 'summer' });
    const job = await run(rig, { op: 'hold' }, { campaign: 'spring' });
    assert.deepEqual([job.state, job.matched, job.done], ['done', 2, 2]);
    const later = await accept(rig, { campaignId: 'spring' });
    assert.equal(held(rig), 3);
    assert.equal(stateOf(rig, later), 'hold');
    assert.deepEqual(
      (await lease(rig)).map(({ message }) => message.campaignId),
      ['summer'],
    );
    rig.dispatcher.wakes.length = 0;
    await run(rig, { op: 'release' }, { campaign: 'spring' });
    assert.deepEqual(rig.dispatcher.wakes.length, 2, 'both queues wake');
    assert.equal((await lease(rig)).length, 2);
    assert.equal(held(rig), 0);
    assert.deepEqual(rig.queue.state.holds.marks, [], 'nothing stands any more');
    sound(rig);
  });

  test('is not claimed past, gives back what is in memory, and survives a crash', async () => {
    let rig = await openRig();
    await accept(rig, { campaignId: 'spring' });
    await run(rig, { op: 'hold' }, { node: 'n1' });
    assert.deepEqual(rig.dispatcher.withdrawn, ['n1 one.test']);
    rig.dispatcher.places.set('n1 one.test', 9);
    await accept(rig);
    assert.equal(rig.dispatcher.delivered.length, 0);
    rig = await crash(rig);
    assert.equal(held(rig), 2);
    assert.equal(wakeAt(rig.queue, 'n1', 'one.test'), Infinity);
    sound(rig);
  });

  test('holds mail whose attempt is deferred meanwhile, and its lifetime still ends it', async () => {
    const rig = await openRig();
    await accept(rig, { lifetimeMs: HOUR });
    const [leased] = await lease(rig);
    await run(rig, { op: 'hold' }, { domain: 'one.test' });
    await rig.queue.record(leased!, deferred(rig, 10));
    rig.clock.advance(20);
    assert.deepEqual(await lease(rig), []);
    assert.equal(held(rig), 1);
    rig.clock.advance(HOUR);
    await rig.queue.prune();
    await rig.queue.sweep();
    assert.equal(rig.queue.state.counters.sum().undelivered, 1);
    sound(rig);
  });

  test('the last mark that fits decides', async () => {
    const rig = await openRig();
    await run(rig, { op: 'hold' }, { campaign: 'spring' });
    await run(rig, { op: 'release' }, { domain: 'two.test' });
    await accept(rig, { campaignId: 'spring', to: ['a@one.test', 'b@two.test'] });
    assert.equal(held(rig), 1);
    assert.equal((await lease(rig, 'two.test')).length, 1);
    await run(rig, { op: 'release' }, {});
    assert.equal((await lease(rig, 'one.test')).length, 1);
    sound(rig);
  });

  test('of an ISP holds its domains as soon as they are known to be its', async () => {
    const rig = await openRig();
    await accept(rig);
    await run(rig, { op: 'hold' }, { isp: 'big' });
    assert.equal(held(rig), 0);
    rig.dispatcher.isps.set('one.test', 'big');
    rig.queue.ispFound(queuesOf(rig.queue, 'n1', 'one.test'));
    assert.equal(held(rig), 1);
    await accept(rig);
    assert.equal(held(rig), 2);
    sound(rig);
  });

  test('of one recipient holds that one, also later mail to it, beside others of its queue', async () => {
    let rig = await openRig();
    const first = await accept(rig, { to: ['a@one.test', 'b@one.test'] });
    const job = await run(rig, { op: 'hold' }, { recipient: 'a@one.test' });
    assert.deepEqual([job.state, job.matched, job.done], ['done', 1, 1]);
    await accept(rig, { to: ['a@one.test'] });
    assert.equal(held(rig), 2);
    assert.deepEqual([stateOf(rig, first, 1), stateOf(rig, first, 2)], ['hold', 'new']);
    rig = await crash(rig);
    assert.equal(held(rig), 2);
    sound(rig);
    assert.equal((await lease(rig)).length, 1);
    await run(rig, { op: 'release' }, { domain: 'one.test' });
    assert.equal(held(rig), 0);
    assert.equal((await lease(rig)).length, 2);
    sound(rig);
  });

  test('of what is older holds no newer mail; a release of one recipient goes before it', async () => {
    const rig = await openRig();
    await accept(rig, { to: ['a@one.test', 'b@one.test'] });
    rig.clock.advance(HOUR);
    await accept(rig, { to: ['c@one.test'] });
    await run(rig, { op: 'hold' }, { before: rig.clock.now() - 1 });
    assert.equal(held(rig), 2);
    await run(rig, { op: 'release' }, { recipient: 'b@one.test' });
    assert.equal(held(rig), 1);
    assert.equal((await lease(rig)).length, 2);
    sound(rig);
  });
});

describe('purge', () => {
  test('ends what waits, held or not, with the reason removed; what comes later stays', async () => {
    const rig = await openRig();
    await run(rig, { op: 'hold' }, { domain: 'two.test' });
    await accept(rig, { campaignId: 'spring', to: ['a@one.test', 'b@two.test'] });
    await accept(rig, { campaignId: 'summer' });
    const { id } = await submit(rig, { op: 'purge' }, { campaign: 'spring' });
    const later = await accept(rig, { campaignId: 'spring' });
    while (await rig.queue.operations.step());
    const job = rig.queue.operations.get(id)!;
    assert.deepEqual([job.state, job.matched, job.done], ['done', 2, 2]);
    assert.equal(stateOf(rig, later), 'new');
    const { removed, queued } = rig.queue.state.counters.sum();
    assert.deepEqual([removed, queued], [2, 2]);
    assert.equal(events(rig).filter(({ reason }) => reason === 'removed').length, 2);
    sound(rig);
  });

  test('takes leased mail when it comes back, not what is delivered, and is done only then', async () => {
    const rig = await openRig();
    await accept(rig, { to: ['a@one.test', 'b@one.test', 'c@one.test'] });
    const [a, b, c] = await lease(rig);
    const { id } = await submit(rig, { op: 'purge' }, {});
    while (await rig.queue.operations.step());
    assert.equal(rig.queue.operations.get(id)!.state, 'running');
    await rig.queue.record(a!, delivered(rig));
    await rig.queue.record(b!, deferred(rig));
    await rig.queue.record(c!, { kind: 'released', wakeAt: 0 });
    while (await rig.queue.operations.step());
    const job = rig.queue.operations.get(id)!;
    assert.deepEqual([job.state, job.matched, job.done], ['done', 3, 2]);
    const { removed, delivered: sent, queued } = rig.queue.state.counters.sum();
    assert.deepEqual([removed, sent, queued], [2, 1, 0]);
    sound(rig);
  });

  test('goes on after a crash, and counts each delivery once', async () => {
    let rig = await openRig();
    for (let i = 0; i < 6; i++)
      await accept(rig, { to: Array.from({ length: 100 }, (_, n) => `r${n}@d${i}.test`) });
    const { id, matched } = await submit(rig, { op: 'purge' }, {});
    assert.equal(matched, 600);
    assert.ok(await rig.queue.operations.step(0));
    const { done } = rig.queue.operations.get(id)!;
    assert.ok(done > 0 && done < 600, `${done}`);
    rig = await crash(rig);
    while (await rig.queue.operations.step());
    const job = rig.queue.operations.get(id)!;
    assert.deepEqual([job.state, job.done], ['done', 600]);
    assert.equal(rig.queue.state.counters.sum().removed, 600);
    sound(rig);
  });

  test('stops what it is about at once, also after a crash, and nothing else', async () => {
    let rig = await openRig();
    await accept(rig, { campaignId: 'spring', to: ['a@one.test', 'b@two.test'] });
    await accept(rig, { campaignId: 'summer' });
    await submit(rig, { op: 'purge' }, { campaign: 'spring' });
    assert.deepEqual(rig.dispatcher.withdrawn, ['n1 one.test', 'n1 two.test']);
    const later = await accept(rig, { campaignId: 'spring' });
    assert.equal(held(rig), 3);
    rig = await crash(rig);
    assert.equal(held(rig), 3);
    assert.deepEqual(
      (await lease(rig)).map(({ message }) => message.campaignId),
      ['summer'],
    );
    while (await rig.queue.operations.step());
    assert.equal(held(rig), 0);
    assert.deepEqual(
      (await lease(rig)).map(({ number }) => number),
      [later],
    );
    sound(rig);
  });

  test('of an ISP stops it after a crash as soon as the ISPs are known', async () => {
    let rig = await openRig();
    await accept(rig);
    rig.dispatcher.isps.set('one.test', 'big');
    await submit(rig, { op: 'purge' }, { isp: 'big' });
    rig = await crash(rig);
    rig.dispatcher.isps.set('one.test', 'big');
    rig.queue.attach(rig.dispatcher);
    assert.equal(held(rig), 1);
    assert.equal(wakeAt(rig.queue, 'n1', 'one.test'), Infinity);
  });

  test('ends deliveries before it takes their slots: who meets one finds nothing to send and no damage', async () => {
    let rig = await openRig();
    await accept(rig, { to: Array.from({ length: 150 }, (_, i) => `r${i}@d${i % 3}.test`) });
    const older = { before: rig.clock.now() + 1 };
    rig.clock.advance(1);
    const { id } = await submit(rig, { op: 'purge' }, older);
    const slots = (): number => keysOf(rig.kv, 'schedule').length;
    while (rig.queue.operations.get(id)!.done === 0) await rig.queue.operations.step(0);
    const { done } = rig.queue.operations.get(id)!;
    assert.ok(done < 150, `${done}`);
    assert.equal(slots(), 150);
    sound(rig);
    const count = rig.queue.operations.count({ operation: { op: 'retry' }, selector: older, text: '' });
    while (!count.step());
    assert.equal(count.record.matched, 150 - done);
    rig = await crash(rig);
    const leased = await lease(rig, 'd0.test', { limit: 50 });
    assert.equal(leased.length, 50 - Math.ceil(done / 3));
    assert.deepEqual(rig.reports, []);
    for (const delivery of leased) await rig.queue.record(delivery, { kind: 'released', wakeAt: 0 });
    while (await rig.queue.operations.step());
    assert.equal(rig.queue.operations.get(id)!.done, 150);
    assert.equal(slots(), 0);
    sound(rig);
  });

  test('leaves alone what is in the quarantine', async () => {
    const rig = await openRig();
    const number = await accept(rig, { to: ['a@one.test', 'b@one.test'] });
    await rig.kv.commit([{ table: 'contents', key: numberKey(number), value: Buffer.from('damaged') }]);
    assert.deepEqual(await lease(rig, 'one.test', { limit: 1 }), []);
    assert.equal(rig.queue.quarantine.count, 1);
    const job = await run(rig, { op: 'purge' }, {});
    assert.deepEqual([job.state, job.done], ['done', 1]);
    assert.equal(rig.queue.state.counters.sum().queued, 1);
  });

  test('of one recipient, or of what is old, leaves the rest of the queue', async () => {
    const rig = await openRig();
    await accept(rig, { to: ['a@one.test', 'b@one.test'] });
    rig.clock.advance(HOUR);
    await accept(rig, { to: ['a@one.test', 'c@one.test'] });
    const old = await run(rig, { op: 'purge' }, { before: rig.clock.now(), recipient: 'a@one.test' });
    assert.deepEqual([old.matched, old.done], [1, 1]);
    const all = await run(rig, { op: 'purge' }, { before: rig.clock.now() });
    assert.deepEqual([all.matched, all.done], [1, 1]);
    assert.equal(rig.queue.state.counters.sum().queued, 2);
    sound(rig);
  });
});

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
