/** What is queued or finished can be found again: one by one, by message, and in pages. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { deliveryIdOf } from '../../../src/core/index.ts';
import {
  deliveriesOf,
  type DeliveryList,
  type DeliveryState,
  findDelivery,
  listDeliveries,
  listInSlices,
  type ListRequest,
} from '../../../src/queue/index.ts';
import type { Entry, Kv, RangeOptions, Table } from '../../../src/queue/kv.ts';
import {
  accept,
  crash,
  deferred,
  deliveriesFor,
  delivered,
  dropped,
  failed,
  lease,
  openRig,
  type Rig,
} from './fixture.ts';

const idsOf = ({ deliveries }: Pick<DeliveryList, 'deliveries'>): string[] => deliveries.map(({ id }) => id);

/** One delivery of each state, by state; all of the campaign `spring`, at addresses of their own. */
async function oneOfEach(rig: Rig): Promise<Map<DeliveryState, string>> {
  const found = new Map<DeliveryState, string>();
  const make = async (state: DeliveryState): Promise<void> => {
    const domain = `${state.replace('_', '-')}.test`;
    const number = await accept(rig, { to: [`user@${domain}`], campaignId: 'spring' });
    found.set(state, deliveryIdOf(number, 1));
    if (state === 'new') return;
    const [leased] = await lease(rig, domain);
    if (state === 'retry') await rig.queue.record(leased!, deferred(rig));
    if (state === 'delivered') await rig.queue.record(leased!, delivered(rig));
    if (state === 'hard_bounce') await rig.queue.record(leased!, failed(rig));
    if (state === 'undelivered') await rig.queue.record(leased!, dropped(rig));
  };
  for (const state of ['undelivered', 'new', 'delivered', 'proc', 'hard_bounce', 'retry'] as const)
    await make(state);
  return found;
}

/** All pages of a list. */
function walk(rig: Rig, request: Omit<ListRequest, 'after'>): string[][] {
  const pages: string[][] = [];
  let after: DeliveryList['next'];
  do {
    const page = listDeliveries(rig.queue.state, { ...request, after });
    if (page.deliveries.length > 0) pages.push(idsOf(page));
    after = page.next;
  } while (after !== undefined);
  return pages;
}

describe('lookup', () => {
  for (const to of [['a@one.test'], ['a@one.test', 'b@one.test']]) {
    test(`finds a message of ${to.length} as it was accepted, queued, finished and after a restart`, async () => {
      const rig = await openRig();
      const facts = {
        smtpUtf8: true,
        eightBit: true,
        dotLine: true,
        campaignId: 'spring',
        accountId: 'acme',
      };
      const number = await accept(rig, { to, ...facts, metadata: { order: 7 }, group: 'g', band: 'geo' });
      const [leased] = await lease(rig);
      assert.ok(leased);
      const before = findDelivery(rig.queue.state, number, 1)!;
      assert.deepEqual(before.message, leased.message);
      assert.deepEqual({ ...before.message, ...facts }, before.message);
      assert.equal('message' in before.record, false, 'the message is beside the record, not in it');
      await rig.queue.record(leased, deferred(rig, 0));
      const [again] = await lease(rig);
      assert.deepEqual(again?.message, leased.message);
      await rig.queue.record(again, delivered(rig));
      assert.deepEqual(findDelivery(rig.queue.state, again.number, again.index)?.message, leased.message);
      const restarted = await crash(rig);
      assert.deepEqual(findDelivery(restarted.queue.state, number, 1)?.message, leased.message);
    });
  }

  test('knows the state of each', async () => {
    const rig = await openRig();
    for (const [state, id] of await oneOfEach(rig)) {
      const page = listDeliveries(rig.queue.state, { state, limit: 10 });
      assert.deepEqual(idsOf(page), [id], state);
      assert.equal(page.deliveries[0]?.state, state);
    }
  });

  test('of what was never accepted finds nothing', async () => {
    const rig = await openRig();
    const number = await accept(rig);
    assert.equal(findDelivery(rig.queue.state, number, 2), undefined);
    assert.equal(findDelivery(rig.queue.state, number + 1, 1), undefined);
    assert.deepEqual(deliveriesOf(rig.queue.state, number + 1, 10), []);
  });

  test('gives the deliveries of a message by index, whether queued or finished, up to the limit', async () => {
    const rig = await openRig();
    const number = await accept(rig, { to: ['a@one.test', 'b@two.test', 'c@one.test'] });
    await accept(rig, { to: ['next@one.test'] });
    await rig.queue.record((await lease(rig, 'two.test'))[0]!, delivered(rig));
    const states = deliveriesOf(rig.queue.state, number, 10).map(({ index, state }) => `${index} ${state}`);
    assert.deepEqual(states, ['1 new', '2 delivered', '3 new']);
    assert.deepEqual(
      deliveriesOf(rig.queue.state, number, 2).map(({ index }) => index),
      [1, 2],
    );
  });
});

describe('lists', () => {
  test('have queued and finished ones in one order, oldest first', async () => {
    const rig = await openRig();
    const ids = await oneOfEach(rig);
    assert.deepEqual(walk(rig, { limit: 100 }), [[...ids.values()].sort()]);
  });

  test('lose nothing when the delivery that a page ended with finishes before the next page', async () => {
    const rig = await openRig();
    for (let i = 0; i < 3; i++) await accept(rig);
    const first = listDeliveries(rig.queue.state, { limit: 1 });
    for (const leased of await lease(rig, 'one.test', { limit: 1 }))
      await rig.queue.record(leased, delivered(rig));
    const rest = listDeliveries(rig.queue.state, { limit: 10, after: first.next });
    assert.equal(rest.deliveries.length, 2);
  });

  test('are read in slices between which others have their turns', async () => {
    const rig = await openRig();
    await accept(rig, { to: Array.from({ length: 2_500 }, (_, i) => `u${i}@one.test`) });
    let turns = 0;
    const count = (): void => {
      turns++;
      next = setImmediate(count);
    };
    let next = setImmediate(count);
    const page = await listInSlices(rig.queue.state, { limit: 2, only: ({ index }) => index >= 2_400 });
    clearImmediate(next);
    assert.deepEqual(
      page.deliveries.map(({ index }) => index),
      [2_400, 2_401],
    );
    assert.ok(turns >= 2, `${turns} turns`);
    const rest = await listInSlices(rig.queue.state, { limit: 100, after: page.next });
    assert.deepEqual([rest.deliveries.length, rest.next], [99, undefined]);
  });

  for (const limit of [1, 2, 3, 5, 6])
    test(`in pages of ${limit} have each delivery once`, async () => {
      const rig = await openRig();
      const whole = [...(await oneOfEach(rig)).values()];
      const pages = walk(rig, { limit });
      assert.deepEqual(new Set(pages.flat()), new Set(whole));
      assert.equal(pages.flat().length, whole.length);
      for (const page of pages.slice(0, -1)) assert.equal(page.length, limit);
    });

  test('by recipient compare the domain without case, the local part with it', async () => {
    const rig = await openRig();
    const number = await accept(rig, { to: ['Ann@one.test', 'ann@one.test', 'Ann@two.test'] });
    const by = (recipient: string): string[] =>
      idsOf(listDeliveries(rig.queue.state, { recipient, limit: 10 }));
    assert.deepEqual(by('Ann@ONE.test'), [deliveryIdOf(number, 1)]);
    assert.deepEqual(by('ann@one.test'), [deliveryIdOf(number, 2)]);
    assert.deepEqual(by('ANN@one.test'), []);
  });

  test('by campaign and state have what fits both', async () => {
    const rig = await openRig();
    const ids = await oneOfEach(rig);
    await accept(rig, { campaignId: 'summer' });
    const list = (campaignId: string, state: DeliveryState): string[] =>
      idsOf(listDeliveries(rig.queue.state, { campaignId, state, limit: 10 }));
    assert.deepEqual(list('spring', 'new'), [ids.get('new')]);
    assert.equal(list('summer', 'new').length, 1);
    assert.deepEqual(list('summer', 'delivered'), []);
    assert.deepEqual(list('winter', 'new'), []);
  });
});

describe('a list by recipient or campaign', () => {
  /** The state of the queue, whose store counts what is read of records. */
  function counting({ store, queue: { state } }: Rig): {
    readonly state: typeof state;
    readonly reads: () => number;
  } {
    let reads = 0;
    function* range(table: Table, options: RangeOptions): Iterable<Entry> {
      for (const entry of state.kv.range(table, options)) {
        if (table === 'deliveries' || table === 'history') reads++;
        yield entry;
      }
    }
    const get: Kv['get'] = (table, key) => state.kv.get(table, key);
    const kv = { ...store, get, range };
    return { state: { ...state, kv }, reads: () => reads };
  }

  const others = (from: number): string[] => Array.from({ length: 300 }, (_, i) => `u${from + i}@one.test`);

  test('reads what it tells of, and no other record', async () => {
    let rig = await openRig();
    await accept(rig, { to: others(0), campaignId: 'spring' });
    const open = await accept(rig, {
      to: ['x@one.test', ...others(1_000)],
      open: true,
      campaignId: 'summer',
    });
    // Lines 3 to 9 of the batch were refused; the last of them comes later.
    const deliveries = [
      deliveriesFor(rig, { to: ['x@One.test'] }, 310),
      deliveriesFor(rig, { to: ['x@one.test'] }, 305),
    ].flat();
    await rig.queue.accept({ number: open, deliveries, close: true });
    await accept(rig, { to: ['y@two.test'] });
    rig = await crash(rig);
    const { state, reads } = counting(rig);
    const found = listDeliveries(state, { recipient: 'x@one.test', limit: 10 });
    assert.deepEqual(
      idsOf(found),
      [1, 305, 310].map((index) => deliveryIdOf(open, index)),
    );
    assert.equal(reads(), 3);
    const page = listDeliveries(state, { campaignId: 'summer', limit: 2, after: deliveryIdOf(open, 300) });
    assert.deepEqual(
      idsOf(page),
      [301, 305].map((index) => deliveryIdOf(open, index)),
    );
    assert.ok(reads() < 10, `${reads()}`);
    assert.deepEqual(
      idsOf(listDeliveries(state, { recipient: 'x@one.test', campaignId: 'spring', limit: 10 })),
      [],
    );
    assert.deepEqual(idsOf(listDeliveries(state, { recipient: 'X@one.test', limit: 10 })), []);
  });

  test('finds everything that a walk through all finds', async () => {
    const rig = await openRig();
    const names = ['a', 'b', 'c', 'd'];
    for (let i = 0; i < 40; i++) {
      const to = [0, 1, 2].slice(0, 1 + (i % 3)).map((n) => `${names[(i * 7 + n) % 4]}@one.test`);
      const campaignId = names[(i * 5) % 3];
      await accept(rig, { to, ...(campaignId && { campaignId }) });
      if (i % 4 === 0) await rig.queue.record((await lease(rig))[0]!, delivered(rig));
    }
    const all = listDeliveries(rig.queue.state, { limit: 1_000 }).deliveries;
    for (const name of names) {
      const recipient = `${name}@one.test`;
      const mine = all.filter(({ record }) => record.recipient === recipient).map(({ id }) => id);
      assert.deepEqual(walk(rig, { recipient, limit: 3 }).flat(), mine);
      const campaign = all.filter(({ message }) => message.campaignId === name).map(({ id }) => id);
      assert.deepEqual(walk(rig, { campaignId: name, limit: 3 }).flat(), campaign);
    }
  });
});
