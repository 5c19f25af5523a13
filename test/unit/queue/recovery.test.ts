import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { messageNumberAt } from '../../../src/core/index.ts';
import { findDelivery, openMemoryKv, Queue, StoreVersionError } from '../../../src/queue/index.ts';
import { deliveryKey, numberKey, textKey } from '../../../src/queue/keys.ts';
import { encode } from '../../../src/queue/records.ts';
import type { Kv } from '../../../src/queue/kv.ts';
import { createFakeClock } from '../../support/fake-clock.ts';
import { auditStore } from '../../support/audit.ts';
import {
  accept,
  acceptLeased,
  crash,
  DAY,
  deferred,
  delivered,
  deliveriesFor,
  events,
  HOUR,
  keysOf,
  lease,
  openRig,
  type Rig,
} from './fixture.ts';

const duplicates = (rig: Rig, ids: readonly number[]): (true | undefined)[] =>
  ids.map((number) => findDelivery(rig.queue.state, number, 1)?.record.possibleDuplicate);

describe('recovery', () => {
  test('returns what was leased, due at once and marked; the mark is in its next event', async () => {
    const before = await openRig();
    const { number } = await acceptLeased(before, { lifetimeMs: 9 * DAY });
    const rig = await crash(before);
    assert.deepEqual(rig.recovered, { returned: 1, possibleDuplicates: 1, closedBatches: 0 });
    assert.deepEqual(auditStore(rig.kv), []);
    assert.equal(rig.queue.state.leases.size, 0);
    assert.equal(keysOf(rig.kv, 'leases').length, 0, 'the leases of the run before are gone');
    const [again] = await lease(rig);
    assert.equal(again?.number, number);
    assert.equal(again.content.toString(), 'Hello');
    assert.equal(again.record.attempts.length, 0);
    await rig.queue.record(again, deferred(rig, 0));
    await rig.queue.record((await lease(rig))[0]!, delivered(rig));
    assert.deepEqual(
      events(rig).map(({ type, possible_duplicate }) => [type, possible_duplicate]),
      [
        ['accepted', undefined],
        ['soft_bounce', true],
        ['delivered', true],
      ],
    );
    assert.deepEqual(auditStore(rig.kv), []);
  });

  test('returns what was claimed by its acceptance', async () => {
    const before = await openRig();
    before.dispatcher.places.set('n1 one.test', 1);
    const number = await accept(before, { to: ['a@one.test', 'b@one.test'] });
    const rig = await crash(before);
    assert.equal(rig.recovered.returned, 1);
    assert.deepEqual(duplicates(rig, [number]), [true]);
    assert.equal((await lease(rig)).length, 2);
  });

  test('leaves alone what waits, was deferred or released, and what has ended', async () => {
    const before = await openRig();
    const waiting = await accept(before, { delayMs: HOUR });
    const [deferredOne, released, ended, held] = await Promise.all(
      Array.from({ length: 4 }, () => accept(before)),
    );
    const leased = await lease(before); // one lease names all four, and lives as long as one of them is held
    const of = (number?: number) => leased.find((delivery) => delivery.number === number)!;
    await before.queue.record(of(deferredOne), deferred(before));
    await before.queue.record(of(released), { kind: 'released', wakeAt: before.clock.now() + HOUR });
    await before.queue.record(of(ended), delivered(before));
    assert.equal(keysOf(before.kv, 'leases').length, 1);
    const rig = await crash(before);
    assert.equal(rig.recovered.returned, 1);
    assert.deepEqual(duplicates(rig, [waiting, deferredOne!, released!, ended!, held!]), [
      undefined,
      undefined,
      undefined,
      undefined,
      true,
    ]);
    assert.deepEqual(auditStore(rig.kv), []);
  });

  test('returns once what two leases name', async () => {
    const before = await openRig();
    await accept(before, { to: ['a@one.test', 'b@one.test'] });
    const [first] = await lease(before); // the other one keeps this lease alive
    await before.queue.record(first!, deferred(before, 0));
    await lease(before);
    assert.equal(keysOf(before.kv, 'leases').length, 2);
    const rig = await crash(before);
    assert.equal(rig.recovered.returned, 2);
    assert.deepEqual(auditStore(rig.kv), []);
    assert.equal((await lease(rig)).length, 2);
  });

  test('goes to the node that the delivery was moved to', async () => {
    const before = await openRig();
    await before.queue.record(await acceptLeased(before), deferred(before, 0, 'n2'));
    await lease(before, 'one.test', { node: 'n2' });
    const rig = await crash(before);
    assert.equal((await lease(rig, 'one.test', { node: 'n2' })).length, 1);
  });

  test('a second crash finds the same, and nothing is marked that was not leased again', async () => {
    const before = await openRig();
    await acceptLeased(before);
    const rig = await crash(await crash(before));
    assert.deepEqual(rig.recovered, { returned: 0, possibleDuplicates: 0, closedBatches: 0 });
    assert.equal((await lease(rig)).length, 1);
  });

  test('closes a batch that was under way, and lets go of what has no recipient left', async () => {
    const before = await openRig();
    const half = await accept(before, { to: ['a@one.test'], open: true });
    await accept(before, { to: [], open: true });
    const rig = await crash(before);
    assert.deepEqual(rig.recovered, { returned: 0, possibleDuplicates: 0, closedBatches: 2 });
    assert.deepEqual(keysOf(rig.kv, 'contents'), [numberKey(half).toString('hex')]);
    const more = { number: half, deliveries: deliveriesFor(rig, {}, 2), close: true };
    await assert.rejects(rig.queue.accept(more), /takes no more recipients/);
    await rig.queue.record((await lease(rig))[0]!, delivered(rig));
    assert.deepEqual(keysOf(rig.kv, 'contents'), []);
    assert.deepEqual(auditStore(rig.kv), []);
  });

  test('after a clean close finds nothing to do', async () => {
    const before = await openRig();
    await before.queue.record(await acceptLeased(before), deferred(before));
    await before.queue.close();
    assert.deepEqual((await openRig(before)).recovered, {
      returned: 0,
      possibleDuplicates: 0,
      closedBatches: 0,
    });
    assert.deepEqual(keysOf(before.kv, 'leases'), []);
  });

  test('of a damaged delivery or lease says so and recovers the others', async () => {
    const before = await openRig();
    const bad = await accept(before);
    await accept(before);
    await lease(before);
    const other = await acceptLeased(before);
    await before.kv.commit([
      { table: 'deliveries', key: deliveryKey(bad, 1), value: Buffer.from('rubbish') },
      { table: 'leases', key: numberKey(other.leaseId), value: Buffer.from('rubbish') },
    ]);
    const rig = await crash(before);
    // Nobody knows whom the damaged lease named: what has no other place was its own.
    assert.equal(rig.recovered.returned, 2);
    assert.equal(rig.reports.length, 2);
    assert.equal((await lease(rig)).length, 2);
    assert.deepEqual(
      rig.queue.quarantine.list(undefined, 10).map(({ number }) => number),
      [bad],
    );
  });
});

describe('a start after a crash', () => {
  /** Entries that opening the queue reads, with so many deliveries in it. */
  async function readsOf(count: number): Promise<number> {
    const rig = await openRig();
    const to = Array.from({ length: count }, (_, i) => `r${i}@d${i % DOMAINS}.test`);
    await accept(rig, { to });
    rig.clock.advance(6_000);
    await accept(rig, { to: ['a@one.test'] }); // with a snapshot of the counts
    for (let i = 0; i < DOMAINS; i++) await lease(rig, `d${i}.test`, { limit: 2 });
    let reads = 0;
    const { store } = rig;
    const kv: Kv = {
      ...store,
      get: (table, key) => {
        reads++;
        return store.get(table, key);
      },
      *range(table, options) {
        for (const entry of store.range(table, options)) {
          reads++;
          yield entry;
        }
      },
    };
    const { queue, recovered } = await openRig({ kv, clock: rig.clock });
    assert.deepEqual([recovered.returned, queue.state.counters.sum().queued], [2 * DOMAINS, count + 1]);
    return reads;
  }
  const DOMAINS = 10;

  test('reads no more with a hundred times as many queued deliveries', async () => {
    assert.ok((await readsOf(5_000)) <= (await readsOf(50)));
  });
});

describe('message numbers', () => {
  test('grow over restarts and when the clock steps back', async () => {
    let rig = await openRig();
    const numbers: number[] = [];
    for (const step of [0, 5, -HOUR, 0, -DAY]) {
      rig.clock.advance(step);
      rig = await crash(rig);
      numbers.push(await accept(rig), await accept(rig));
    }
    assert.deepEqual(
      numbers,
      [...new Set(numbers)].sort((a, b) => a - b),
    );
  });

  for (const left of ['history', 'journal'] as const) {
    test(`grow when only the ${left} remembers them`, async () => {
      const before = await openRig();
      const given = await Promise.all(Array.from({ length: 5 }, () => accept(before)));
      for (const delivery of await lease(before)) await before.queue.record(delivery, delivered(before));
      if (left === 'journal') await before.queue.trim({ historyBefore: Infinity, journalBefore: 0 });
      assert.equal(keysOf(before.kv, 'history').length, left === 'journal' ? 0 : 5);
      const rig = await crash(before);
      assert.ok((await accept(rig)) > Math.max(...given));
    });
  }

  test('carry the time of acceptance', async () => {
    const rig = await openRig();
    assert.equal(await accept(rig), messageNumberAt(rig.clock.now()));
  });
});

describe('the store', () => {
  const open = (kv = openMemoryKv()) => Queue.open({ kv, clock: createFakeClock(), report: () => undefined });

  test('of another format is refused and left as it is', async () => {
    const kv = openMemoryKv();
    const value = encode({ format: 1, storeId: 'x' });
    await kv.commit([{ table: 'meta', key: textKey('store'), value }]);
    await assert.rejects(open(kv), (error) => {
      assert.ok(error instanceof StoreVersionError);
      assert.match(
        error.message,
        /format 1, this version reads formats 2, 3 and 4: let the version that wrote it deliver/,
      );
      return true;
    });
    assert.deepEqual(kv.get('meta', textKey('store')), value);
  });

  test('keeps its id over restarts', async () => {
    const rig = await openRig();
    await accept(rig);
    const again = await crash(rig);
    await accept(again);
    const [first, second] = events(again).map(({ id }) => id.split('-')[0]);
    assert.equal(first, second);
    assert.notEqual(
      (await openRig()).kv.get('meta', textKey('store'))?.toString(),
      rig.kv.get('meta', textKey('store'))?.toString(),
    );
  });
});
