/** The counts are what a recount of the tables gives, at any time; auditStore does the recount. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { oldestOf, TEST_CAMPAIGN } from '../../../src/queue/index.ts';
import { auditStore } from '../../support/audit.ts';
import {
  accept,
  crash,
  deferred,
  delivered,
  dropped,
  failed,
  HOUR,
  keysOf,
  lease,
  openRig,
  type Rig,
} from './fixture.ts';

/** Three campaigns over two domains and two accounts, in all states. */
async function mixed(): Promise<Rig> {
  const rig = await openRig();
  const to = ['a@one.test', 'b@one.test', 'c@two.test'];
  await accept(rig, { campaignId: 'spring', accountId: 'acme', to });
  await accept(rig, { campaignId: 'summer', accountId: 'acme', to });
  await accept(rig, { campaignId: 'spring', accountId: 'other', to });
  await accept(rig, { to });
  const leased = await lease(rig);
  const outcomes = [delivered(rig), deferred(rig), failed(rig), dropped(rig), dropped(rig, 'dropped')];
  for (const [i, delivery] of leased.entries()) {
    const outcome = outcomes[i];
    if (outcome) await rig.queue.record(delivery, outcome);
  }
  return rig;
}

const told = ({ queue }: Rig) => ({
  rows: [...queue.state.counters.rows()]
    // How old a row is, is told by the next sweep.
    .map((row) => ({ ...row, proc: 0, first: undefined, oldest: undefined, latest: undefined }))
    .map((row) => JSON.stringify(row))
    .sort(),
  totals: [...queue.state.counters.totals()].map((totals) => JSON.stringify(totals)).sort(),
});

describe('counts', () => {
  test('are kept per account and campaign', async () => {
    const rig = await mixed();
    const totals = [...rig.queue.state.counters.totals()];
    assert.deepEqual(
      totals.map((t) => [
        t.account,
        t.campaign,
        t.accepted,
        t.delivered,
        t.hard_bounced,
        t.undelivered,
        t.removed,
        t.soft_bounces,
      ]),
      [
        ['acme', 'spring', 3, 1, 0, 0, 0, 1],
        ['acme', 'summer', 3, 0, 1, 0, 1, 0],
        ['other', 'spring', 3, 0, 0, 1, 0, 0],
        ['', '', 3, 0, 0, 0, 0, 0],
      ],
    );
    assert.deepEqual(auditStore(rig.kv), []);
  });

  test('of test mail are in the sum, which has to add up, and not in the statistics', async () => {
    const rig = await openRig();
    await accept(rig, { campaignId: 'spring', accountId: 'acme' });
    await accept(rig, { campaignId: TEST_CAMPAIGN, accountId: 'acme', test: true });
    const { counters } = rig.queue.state;
    assert.deepEqual([counters.sum().accepted, counters.sum().queued], [2, 2]);
    assert.deepEqual([counters.statistics().accepted, counters.statistics().queued], [1, 1]);
  });

  test('tell how old what waits in a row is, also before a sweep and after it was empty', async () => {
    const rig = await openRig();
    const ages = (): number[] =>
      [...rig.queue.state.counters.rows()].map((row) => rig.clock.now() - oldestOf(row));
    await accept(rig, { to: ['a@one.test'] });
    rig.clock.advance(5_000);
    await accept(rig, { to: ['b@one.test'] });
    assert.deepEqual(ages(), [5_000]);
    for (const delivery of await lease(rig)) await rig.queue.record(delivery, delivered(rig));
    assert.deepEqual(ages(), []);
    rig.clock.advance(5_000);
    await accept(rig, { to: ['c@one.test'] });
    rig.clock.advance(1_000);
    assert.deepEqual(ages(), [1_000]);
    await rig.queue.sweep();
    assert.deepEqual(ages(), [1_000]);
  });

  test('tell until when the last of a row waits, from the attempts and from each sweep', async () => {
    const rig = await openRig();
    const latest = (): (number | undefined)[] =>
      [...rig.queue.state.counters.rows()].map((row) => row.latest && row.latest - rig.clock.now());
    await accept(rig, { to: ['a@one.test', 'b@one.test', 'c@one.test'] });
    assert.deepEqual(latest(), [undefined]);
    const [a, b] = await lease(rig, 'one.test', { limit: 2 });
    await rig.queue.record(a!, deferred(rig, 2 * HOUR));
    await rig.queue.record(b!, deferred(rig, HOUR));
    assert.deepEqual(latest(), [2 * HOUR]);
    // What must not be sent before a time is known from the sweep.
    await accept(rig, { to: ['d@one.test'], delayMs: 3 * HOUR });
    await rig.queue.sweep();
    assert.deepEqual(latest(), [3 * HOUR]);
    const again = await crash(rig);
    await again.queue.sweep();
    assert.deepEqual(
      [...again.queue.state.counters.rows()].map((row) => row.latest),
      [rig.clock.now() + 3 * HOUR],
    );
    rig.clock.advance(4 * HOUR);
    for (const delivery of await lease(rig)) await rig.queue.record(delivery, delivered(rig));
    await accept(rig, { to: ['e@one.test'] });
    assert.deepEqual(latest(), [undefined], 'the row was empty');
  });

  test('come back from the journal alone', async () => {
    const rig = await mixed();
    assert.deepEqual(keysOf(rig.kv, 'totals'), [], 'no snapshot yet');
    assert.deepEqual(told(await crash(rig)), told(rig));
  });

  test('come back from a snapshot and the journal after it', async () => {
    const rig = await mixed();
    rig.clock.advance(6_000);
    await accept(rig, { campaignId: 'spring', accountId: 'acme' });
    assert.notDeepEqual(keysOf(rig.kv, 'totals'), [], 'the commit carried a snapshot');
    await accept(rig, { campaignId: 'autumn' });
    assert.deepEqual(auditStore(rig.kv), []);
    assert.deepEqual(told(await crash(rig)), told(rig));
  });

  test('of campaigns that are over for 90 days are one row of their account', async () => {
    const rig = await openRig();
    for (const [accountId, campaignId] of [
      ['acme', 'spring'],
      ['acme', 'summer'],
      ['other', 'spring'],
      ['acme', TEST_CAMPAIGN],
    ] as const)
      await accept(rig, { campaignId, accountId, to: ['a@one.test'] });
    for (const delivery of await lease(rig)) await rig.queue.record(delivery, delivered(rig));
    await accept(rig, { campaignId: 'waits', accountId: 'acme', to: ['b@one.test'] });
    const campaigns = ({ queue } = rig): string[] =>
      [...queue.state.counters.totals()]
        .filter(({ account }) => account !== '')
        .map(({ account, campaign, accepted }) => `${account}/${campaign} ${accepted}`)
        .sort();
    const later = async (days: number): Promise<void> => {
      rig.clock.advance(days * 24 * HOUR);
      // A commit has a snapshot of what was before it.
      for (let i = 0; i < 2; i++) {
        await accept(rig, { to: ['c@one.test'] });
        rig.clock.advance(6_000);
      }
    };
    await later(0);
    await later(89);
    const each = ['acme/(test) 1', 'acme/spring 1', 'acme/summer 1', 'acme/waits 1', 'other/spring 1'];
    assert.deepEqual(campaigns(), each);
    const { delivered: before } = rig.queue.state.counters.sum();
    await later(2);
    const folded = ['acme/(older) 2', 'acme/(test) 1', 'acme/waits 1', 'other/(older) 1'];
    assert.deepEqual(campaigns(), folded);
    assert.equal(rig.queue.state.counters.sum().delivered, before);
    assert.deepEqual(auditStore(rig.kv), []);
    const again = await crash(rig);
    assert.deepEqual(campaigns(again), folded);
  });

  test('come back from the snapshot that closing writes', async () => {
    const rig = await mixed();
    const before = told(rig);
    await rig.queue.close();
    assert.deepEqual(auditStore(rig.kv), []);
    const again = await openRig(rig);
    assert.equal(again.queue.state.journal.counted, again.queue.state.journal.last);
    assert.deepEqual(told(again), before);
  });

  test('of what is leased come from the leases of this run only', async () => {
    const rig = await mixed();
    const proc = ({ queue }: Rig): number =>
      [...queue.state.counters.rows()].reduce((sum, row) => sum + row.proc, 0);
    assert.equal(proc(rig), rig.queue.state.leases.size);
    assert.ok(proc(rig) > 0);
    assert.equal(proc(await crash(rig)), 0);
  });

  test('a row that is empty leaves the store with a snapshot', async () => {
    const rig = await openRig();
    await accept(rig);
    rig.clock.advance(6_000);
    const [delivery] = await lease(rig);
    assert.equal(keysOf(rig.kv, 'rows').length, 1);
    await rig.queue.record(delivery!, delivered(rig));
    rig.clock.advance(6_000);
    await rig.queue.announce({ type: 'config', time: rig.clock.now() });
    assert.deepEqual(keysOf(rig.kv, 'rows'), []);
    assert.deepEqual(auditStore(rig.kv), []);
  });
});
