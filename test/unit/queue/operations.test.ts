import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { JobRecord } from '../../../src/queue/index.ts';
import { numberKey } from '../../../src/queue/keys.ts';
import { queuesOf, wakeAt } from '../../support/queues.ts';
import {
  accept,
  crash,
  deferred,
  delivered,
  deliveriesFor,
  events,
  FaultyKv,
  HOUR,
  keysOf,
  lease,
  newMessage,
  openRig,
  type Rig,
} from './fixture.ts';
import { held, run, sound, stateOf, submit } from './jobs.ts';

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

  test('of one recipient holds what its own commit accepts after it', async () => {
    const rig = await openRig();
    await accept(rig, { to: ['a@one.test', 'b@one.test'] });
    const before = keysOf(rig.store, 'journal').length;
    const asked = submit(rig, { op: 'hold' }, { recipient: 'a@one.test' });
    await Promise.resolve(); // it is submitted
    const [later] = await Promise.all([accept(rig, { to: ['a@one.test'] }), asked]);
    assert.equal(keysOf(rig.store, 'journal').length, before + 1, 'one commit');
    while (await rig.queue.operations.step());
    assert.equal(held(rig), 2);
    assert.equal(stateOf(rig, later), 'hold');
    assert.equal((await lease(rig)).length, 1);
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

describe('callers that may touch a part of the mail', () => {
  const bound = (rig: Rig, op: 'hold' | 'release' | 'retry', campaign: string): Promise<JobRecord> =>
    rig.queue.operations.submit({
      operation: { op },
      selector: { account: 'acme', campaign },
      text: op,
      owns: ({ account }) => account === 'acme',
    });

  test('set half of the marks at most, so that an operator can hold mail too', async () => {
    const rig = await openRig();
    for (let i = 0; i < 500; i++) await bound(rig, 'hold', `c${i}`);
    await assert.rejects(bound(rig, 'hold', 'more'), /^Error: 500 marks stand already/);
    await run(rig, { op: 'hold' }, { campaign: 'c1' });
    await run(rig, { op: 'hold' }, { sender: 'promo' });
    await bound(rig, 'hold', 'c7');
    assert.equal(rig.queue.state.holds.marks.length, 501, 'one in the place of another');
  });

  test('begin half of the jobs at most', async () => {
    const rig = await openRig();
    for (let i = 0; i < 50; i++) await bound(rig, 'retry', `c${i}`);
    await assert.rejects(bound(rig, 'retry', 'more'), /^Error: 50 jobs are under way/);
    assert.equal((await submit(rig, { op: 'purge' }, {})).state, 'running');
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
    assert.equal(held(rig), 0, 'nothing waits for a release');
    rig = await crash(rig);
    assert.deepEqual(
      (await lease(rig)).map(({ message }) => message.campaignId),
      ['summer'],
    );
    assert.equal(wakeAt(rig.queue, 'n1', 'one.test'), Infinity);
    while (await rig.queue.operations.step());
    assert.equal(rig.queue.state.counters.sum().removed, 2);
    sound(rig);
  });

  test('keeps nothing back that comes later to the queues that it stops, also after a crash', async () => {
    let rig = await openRig();
    await accept(rig, { campaignId: 'spring', to: ['a@one.test', 'b@one.test'] });
    await accept(rig, { campaignId: 'spring', delayMs: 10 });
    await submit(rig, { op: 'purge' }, { campaign: 'spring' });
    rig.clock.advance(20);
    rig.dispatcher.wakes.length = 0;
    const first = await accept(rig, { campaignId: 'spring' });
    const second = await accept(rig, { campaignId: 'spring', delayMs: 5 });
    assert.equal(rig.dispatcher.wakes.length, 1, 'the queue wakes for it');
    assert.equal(stateOf(rig, first), 'new');
    rig.dispatcher.places.set('n1 one.test', 1);
    const claimed = await accept(rig, { campaignId: 'spring' });
    assert.deepEqual(
      rig.dispatcher.delivered.map(({ number }) => number),
      [claimed],
    );
    assert.deepEqual(
      (await lease(rig)).map(({ number }) => number),
      [first],
    );
    rig = await crash(rig);
    rig.clock.advance(5);
    assert.deepEqual(
      (await lease(rig)).map(({ number }) => number),
      [first, claimed, second],
    );
    while (await rig.queue.operations.step());
    assert.equal(rig.queue.state.counters.sum().removed, 3);
    sound(rig);
  });

  test('keeps back what an open batch adds until it is through', async () => {
    const rig = await openRig();
    const input = newMessage(rig, { campaignId: 'spring', open: true });
    await rig.queue.accept(input);
    await submit(rig, { op: 'purge' }, { campaign: 'spring' });
    rig.dispatcher.places.set('n1 one.test', 1);
    const deliveries = deliveriesFor(rig, { to: ['b@one.test'] }, 2);
    await rig.queue.accept({ number: input.number, deliveries, close: true });
    assert.deepEqual(rig.dispatcher.delivered, []);
    assert.deepEqual(await lease(rig), []);
    while (await rig.queue.operations.step());
    assert.equal(rig.queue.state.counters.sum().removed, 2);
    sound(rig);
  });

  test('of an ISP stops it after a crash before anybody knows the ISPs', async () => {
    let rig = await openRig();
    await accept(rig);
    rig.dispatcher.isps.set('one.test', 'big');
    await submit(rig, { op: 'purge' }, { isp: 'big' });
    rig = await crash(rig);
    assert.equal(wakeAt(rig.queue, 'n1', 'one.test'), Infinity);
    assert.deepEqual(await lease(rig), []);
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

  test('tells of each delivery as if it were alone, and behind it what was said of it', async () => {
    const rig = await openRig();
    const shared = { to: ['a@one.test', '"q\\"uoted"@one.test', 'c@two.test'], campaignId: 'spring' };
    await accept(rig, { ...shared, group: 'g' });
    await accept(rig, { to: ['a@one.test'], campaignId: 'spring', group: 'g' });
    await run(rig, { op: 'purge' }, {});
    const told = events(rig).filter(({ type }) => type === 'undelivered');
    const alone = told.find(({ message_id }) => message_id !== told[0]!.message_id)!;
    for (const [i, event] of told.slice(0, 3).entries()) {
      const { seq, delivery_id: delivery, message_id: message } = event;
      const own = { seq, id: event.id, delivery_id: delivery, message_id: message, recipient: shared.to[i] };
      assert.deepEqual(event, { ...alone, ...own });
      assert.equal(delivery, `${message!}.${i + 1}`);
    }
    const live = [...rig.queue.state.counters.totals()];
    assert.deepEqual([...(await crash(rig)).queue.state.counters.totals()], live);
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

  test('is done for good, also where its last commit has an outcome that it would have changed', async () => {
    const kv = new FaultyKv();
    let rig = await openRig({ kv });
    const batch = newMessage(rig, { campaignId: 'spring', open: true });
    await rig.queue.accept(batch);
    const [first] = await lease(rig);
    const { id } = await submit(rig, { op: 'purge' }, { campaign: 'spring' });
    while (await rig.queue.operations.step());
    const deliveries = deliveriesFor(rig, { to: ['b@one.test'] }, 2);
    await rig.queue.accept({ number: batch.number, deliveries, close: true });
    const [later] = await lease(rig);
    await rig.queue.record(first!, delivered(rig));
    const before = kv.commits;
    await Promise.all([rig.queue.operations.step(), rig.queue.record(later!, deferred(rig))]);
    assert.equal(kv.commits, before + 1, 'one commit');
    assert.equal(rig.queue.operations.get(id)!.state, 'done');
    rig = await crash(rig);
    assert.equal(rig.queue.operations.get(id)!.state, 'done');
    assert.equal(await rig.queue.operations.step(), false, 'it does not begin anew');
    sound(rig);
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
