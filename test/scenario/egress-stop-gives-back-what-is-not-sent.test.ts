import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { openMemoryKv, Queue } from '../../src/queue/index.ts';
import type { Kv, Op } from '../../src/queue/kv.ts';
import { systemClock } from '../../src/core/index.ts';
import { eventually, type Gate, gate } from '../support/mta-world.ts';
import { FaultyKv } from '../unit/queue/fixture.ts';
import {
  openWorld,
  receiver,
  RunningClock,
  type World,
  type WorldOptions,
} from '../unit/egress/sending-world.ts';

/** A world whose receiver keeps its answers back. */
async function gated(
  t: TestContext,
  { settings, ...options }: WorldOptions = {},
): Promise<{ world: World; held: Gate }> {
  const held = await gate(t);
  const routes = [{ domain: '*', hosts: [`127.0.0.1:${held.port}`], tls: 'none' }];
  const strategies = [{ name: 'free', concurrent_connections: 2, messages_per_connection: 100 }];
  return { world: await openWorld(t, { ...options, settings: { routes, strategies, ...settings } }), held };
}

/** Resolves when the receiver holds so many messages. */
const holds = (held: Gate, count: number): Promise<void> =>
  eventually(() => held.held.size >= count, `${count} messages held`);

const recipients = Array.from({ length: 20 }, (_, i) => `r${i}@to.test`);

/** What a restart finds. */
async function reopened(kv: Kv): Promise<{ queued: number; returned: number }> {
  const { queue, recovered } = await Queue.open({ kv, clock: systemClock, report: () => undefined });
  return { queued: queue.state.counters.sum().queued, returned: recovered.returned };
}

test('transactions under way end and are recorded, everything else is given back unharmed', async (t) => {
  const kv = openMemoryKv();
  const { world, held } = await gated(t, { kv });
  await world.send(recipients);
  await holds(held, 2);
  const stopped = world.stop(10_000);
  held.open();
  await stopped;
  assert.equal(world.events().filter(({ type }) => type === 'delivered').length, 2);
  assert.equal(world.events().filter(({ type }) => type === 'soft_bounce').length, 0);
  assert.deepEqual(await reopened(kv), { queued: 18, returned: 0 });
  assert.equal(held.held.size, 2);
});

test('what has not ended by the deadline is cut, and counts as an attempt that may have arrived', async (t) => {
  const kv = openMemoryKv();
  const { world, held } = await gated(t, { kv });
  await world.send(recipients);
  await holds(held, 2);
  await world.stop(0);
  const bounced = world.events().filter(({ type }) => type === 'soft_bounce');
  assert.equal(bounced.length, 2);
  assert.deepEqual(await reopened(kv), { queued: 20, returned: 0 });
});

test('a session that waits for a token is cut without an attempt', async (t) => {
  const kv = openMemoryKv();
  const sink = await receiver(t);
  const strategies = [{ name: 'free', rate: '1/900ms', concurrent_connections: 2 }];
  const world = await openWorld(t, { kv, sink, settings: { strategies } });
  await world.send(recipients);
  await world.ended(1);
  await world.stop(0);
  const left = recipients.length - world.events().filter(({ type }) => type === 'delivered').length;
  assert.ok(left >= recipients.length - 2);
  assert.equal(world.events().filter(({ type }) => type === 'soft_bounce').length, 0);
  assert.deepEqual(await reopened(kv), { queued: left, returned: 0 });
});

test('deliveries that are being leased when the end comes are given back, too', async (t) => {
  const kv = new SlowKv();
  const sink = await receiver(t);
  const world = await openWorld(t, { kv, sink });
  await world.send(recipients, { wakeAt: Date.now() + 20 });
  kv.hold();
  await kv.asked;
  const stopped = world.stop(1_000);
  kv.release();
  await stopped;
  const delivered = world.events().filter(({ type }) => type === 'delivered').length;
  assert.deepEqual(await reopened(kv), { queued: recipients.length - delivered, returned: 0 });
});

test('an outcome that cannot be stored is stored later: nothing is sent twice', async (t) => {
  const kv = new FaultyKv();
  const { world, held } = await gated(t, { kv, faults: true });
  await world.send('a@to.test');
  await holds(held, 1);
  kv.failures = 1;
  held.open();
  await world.ended(1);
  assert.deepEqual(world.story('a@to.test'), ['delivered 250']);
  assert.ok(world.reports.some(({ text }) => /an outcome could not be stored/.test(text)));
});

/** One delivery was taken by its receiver, and the store takes nothing any more. */
async function withOutcomeRefused(t: TestContext, kv: FaultyKv): ReturnType<typeof openWorld> {
  const { world, held } = await gated(t, { kv, faults: true });
  await world.send('a@to.test');
  await holds(held, 1);
  kv.failures = Infinity;
  held.open();
  await world.reported(/an outcome could not be stored/);
  return world;
}

test('an end in a hurry does not wait for a store that refuses: what was taken comes back as a possible duplicate', async (t) => {
  const kv = new FaultyKv();
  const world = await withOutcomeRefused(t, kv);
  const stopped = world.egress.stop(60_000);
  world.egress.kill();
  await stopped;
  const [lost] = await world.reported(/outcomes could not be stored/);
  assert.deepEqual(lost!.details, { outcomes: 1 });
  kv.failures = 0;
  assert.deepEqual(await reopened(kv), { queued: 1, returned: 1 });
});

test('an end does not wait for a store that refuses beyond its deadline', async (t) => {
  const kv = new FaultyKv();
  const world = await withOutcomeRefused(t, kv);
  await world.egress.stop(100);
  const [lost] = await world.reported(/outcomes could not be stored/);
  assert.deepEqual(lost!.details, { outcomes: 1 });
  kv.failures = 0;
  assert.deepEqual(await reopened(kv), { queued: 1, returned: 1 });
});

test('a store that cannot lease is asked again after a while, not all the time', async (t) => {
  const kv = new FaultyKv();
  const sink = await receiver(t);
  const world = await openWorld(t, { kv, sink, faults: true });
  await world.send('a@to.test', { wakeAt: Date.now() + 20 });
  kv.failures = 1_000;
  await world.reported(/could not be leased, trying again/);
  for (let i = 0; i < 100; i++) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(1_000 - kv.failures, 1);
  kv.failures = 0;
  await world.ended(1);
  assert.equal((await world.reported(/could not be leased/)).length, 1);
});

test('a lifetime that ends while the delivery is leased: nothing is sent, no attempt is counted', async (t) => {
  const clock = new RunningClock();
  const strategies = [{ name: 'free', concurrent_connections: 1, messages_per_connection: 100 }];
  const { world, held } = await gated(t, { clock, settings: { strategies } });
  await world.send('a@to.test');
  await holds(held, 1);
  await world.send('b@to.test', { expiresAt: clock.now() + 3_600_000 });
  clock.advance(3_600_000);
  held.open();
  await world.ended(2);
  assert.deepEqual(world.story('b@to.test'), ['undelivered lifetime']);
  assert.equal(world.events().at(-1)!.attempt, 0);
  assert.deepEqual([...held.held], ['a@to.test']);
});

test('a lifetime that ends while the delivery waits for a token hours away ends it then', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const clock = new RunningClock();
  const sink = await receiver(t);
  const settings = { strategies: [{ name: 'free', rate: '1/12h', concurrent_connections: 1 }] };
  const world = await openWorld(t, { clock, sink, settings });
  await world.send('a@to.test');
  await world.ended(1);
  await world.send('b@to.test', { expiresAt: clock.now() + 3_600_000 });
  await world.send('c@to.test');
  const inMemory = (): number => world.egress.nodes()[0]!.lanes[0]!.inFlight;
  await eventually(() => inMemory() > 0, 'the next one is leased');
  clock.advance(3_600_000);
  t.mock.timers.tick(60_000);
  await world.ended(2);
  assert.deepEqual(world.story('b@to.test'), ['undelivered lifetime']);
  await eventually(() => inMemory() > 0, 'the one behind it has its place');
  assert.deepEqual(world.story('c@to.test'), []);
});

test('a restart does not give tokens that were spent', async (t) => {
  const kv = openMemoryKv();
  const sink = await receiver(t);
  const settings = { strategies: [{ name: 'free', rate: '1/1h', concurrent_connections: 1 }] };
  const first = await openWorld(t, { kv, sink, settings });
  await first.send(['a@to.test', 'b@to.test']);
  await first.ended(1);
  await first.stop();
  const second = await openWorld(t, { kv, sink, settings });
  await second.send('c@to.test');
  const lane = second.egress.nodes()[0]!.lanes[0];
  assert.match(
    lane!.waiting!,
    /next message in (?:3[56]|7[12])\d\d s/,
    'the one that was reserved may count',
  );
  assert.equal(sink.stats().messages, 1);
});

/** A store whose commits wait while it is held. */
class SlowKv implements Kv {
  readonly #kv = openMemoryKv();
  readonly #asked = Promise.withResolvers<void>();
  #released: PromiseWithResolvers<void> | undefined;

  get: Kv['get'] = (table, key) => this.#kv.get(table, key);
  range: Kv['range'] = (table, options) => this.#kv.range(table, options);
  bytes = (): number => this.#kv.bytes();
  close = (): Promise<void> => this.#kv.close();

  /** Resolves when the first commit waits. */
  get asked(): Promise<void> {
    return this.#asked.promise;
  }

  hold(): void {
    this.#released = Promise.withResolvers();
  }

  release(): void {
    this.#released?.resolve();
    this.#released = undefined;
  }

  async commit(ops: readonly Op[]): Promise<void> {
    if (this.#released) this.#asked.resolve();
    await this.#released?.promise;
    await this.#kv.commit(ops);
  }
}
