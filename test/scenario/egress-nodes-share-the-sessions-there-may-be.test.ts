/** `max_sessions` of a node and of all nodes: never more, and no host keeps the others of other ISPs waiting. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import type { Event } from '../../src/core/index.ts';
import type { Sink, ZoneEntry } from '../../src/testbed/index.ts';
import type { Settings } from '../unit/egress/configured.ts';
import {
  hostOf,
  openWorld,
  receiver,
  routeTo,
  RunningClock,
  TWO_NODES,
  type World,
} from '../unit/egress/sending-world.ts';

const twoNodes = (most: number): Settings => ({
  ...TWO_NODES,
  egress: { max_sessions: most, timeouts: { idle: '10s' } },
  strategies: [{ name: 'free', concurrent_connections: 5, messages_per_connection: 10_000 }],
});

const DEAD = Array.from({ length: 40 }, (_, at) => `dead${at}.test`);

const sendEach = (world: World, count: number, domain: string, node: string): Promise<unknown> =>
  world.send(
    Array.from({ length: count }, (_, at) => `${node}${at}@${domain}`),
    { node },
  );

test('two nodes never have more sessions than there may be in all', async (t) => {
  const sink = await receiver(t, { messageLatencyMs: 5 });
  const world = await openWorld(t, { settings: { ...twoNodes(3), routes: [routeTo(sink)] } });
  for (const node of ['n1', 'n2'])
    for (const domain of ['a.test', 'b.test']) await sendEach(world, 50, domain, node);
  const seen = new Set<number>();
  await world.until((events) => {
    seen.add(world.egress.nodeFigures().reduce((sum, { sessions }) => sum + sessions, 0));
    return events.filter(({ type }) => type === 'delivered').length === 200;
  });
  assert.equal(Math.max(...seen), 3);
});

test('idle sessions of one node make room for mail of the other', async (t) => {
  const [first, second] = [await receiver(t), await receiver(t)];
  const routes = [routeTo(first, 'a.test'), routeTo(second, 'b.test')];
  const world = await openWorld(t, { settings: { ...twoNodes(1), routes } });
  await sendEach(world, 1, 'a.test', 'n1');
  await world.ended(1);
  await sendEach(world, 1, 'b.test', 'n2');
  // The idle time is longer than this test may take.
  await world.ended(2);
});

/** Forty sets of hosts that accept a connection and say nothing, and one that works. */
async function silentAndGood(t: TestContext, timeouts: object): Promise<readonly [World, Sink]> {
  const silent = await receiver(t, { rules: [{ phase: 'greeting', action: 'hang' }] });
  const good = await receiver(t);
  // Each has hosts of its own: the second one is never reached.
  const silentFor = (domain: string, at: number): Settings => ({
    ...routeTo(silent, domain),
    hosts: [`${hostOf(silent)}:${silent.port}`, `127.0.0.1:${at + 1}`],
  });
  const routes = [routeTo(good, 'good.test'), ...DEAD.map(silentFor)];
  const egress = { max_sessions: 4, timeouts };
  return [await openWorld(t, { settings: { ...twoNodes(4), egress, routes } }), silent];
}

test('many hosts that do not answer leave half of the sessions to those that have answered', async (t) => {
  const [world, silent] = await silentAndGood(t, { greeting: '5m', shared: '5m' });
  await sendEach(world, 1, 'good.test', 'n2');
  await world.ended(1);
  for (const domain of DEAD) await sendEach(world, 1, domain, 'n1');
  assert.ok(await silent.until(({ sessionsOpen }) => sessionsOpen > 0));
  await sendEach(world, 100, 'good.test', 'n2');
  await world.ended(101);
  assert.equal(silent.stats().sessionsMax, 2);
});

test('while many hosts are being tried, they have less time to answer', async (t) => {
  const [world, silent] = await silentAndGood(t, { greeting: '5m', shared: '50ms' });
  for (const domain of DEAD) await sendEach(world, 1, domain, 'n1');
  assert.ok(await silent.until(({ sessionsOpen }) => sessionsOpen > 0));
  await sendEach(world, 100, 'good.test', 'n2');
  await world.until((events) => events.filter(({ type }) => type === 'delivered').length === 100);
});

test('a campaign to one ISP gives its sessions to others in turn', async (t) => {
  const [big, small] = [await receiver(t, { messageLatencyMs: 2 }), await receiver(t)];
  const routes = [routeTo(big, 'big.test'), routeTo(small, 'small.test')];
  const world = await openWorld(t, { settings: { ...twoNodes(2), routes } });
  await smallIsNotLast(world, 'big.test');
});

test('a node that has all the sessions it may have gives them to other nodes in turn', async (t) => {
  const sinks = [await receiver(t, { messageLatencyMs: 2 }), await receiver(t, { messageLatencyMs: 2 })];
  const small = await receiver(t);
  const routes = [routeTo(small, 'small.test'), ...sinks.map((sink, at) => routeTo(sink, `big${at}.test`))];
  const [full, other] = TWO_NODES['nodes'] as [object, object];
  const nodes = [{ ...full, max_sessions: 2 }, other];
  const world = await openWorld(t, { settings: { ...twoNodes(2), nodes, routes } });
  await smallIsNotLast(world, 'big0.test', 'big1.test');
});

/** 1,000 messages from n1, and when they are on their way 5 from n2. */
async function smallIsNotLast(world: World, ...domains: readonly string[]): Promise<void> {
  for (const domain of domains) await sendEach(world, 1_000 / domains.length, domain, 'n1');
  await world.until((events) => events.filter(({ type }) => type === 'delivered').length > 10);
  await sendEach(world, 5, 'small.test', 'n2');
  await world.ended(1_005);
  const order = world.events().filter(({ type }) => type === 'delivered');
  const last = order.findLastIndex(({ recipient }) => String(recipient).endsWith('small.test'));
  assert.ok(last < 500, `the last to the small one was number ${last}`);
}

test('mail whose route has got old while it waits for a session keeps its turn', async (t) => {
  const clock = new RunningClock();
  const sink = await receiver(t, { messageLatencyMs: 10 });
  const busy = ['a.test', 'b.test', 'c.test'];
  const mx = (domain: string, ttl: number): Record<string, ZoneEntry> => ({
    [domain]: { MX: [[10, `mx.${domain}`]], ttl },
    [`mx.${domain}`]: { A: [hostOf(sink)], ttl },
  });
  const isLast = ({ type, recipient }: Event): boolean =>
    type === 'delivered' && recipient === 'last@short.test';
  const zones = Object.fromEntries(
    [...busy.map((domain) => mx(domain, 3_600)), mx('short.test', 5)].flatMap((zone) => Object.entries(zone)),
  );
  const world = await openWorld(t, {
    clock,
    zones,
    settings: {
      egress: { port: sink.port, timeouts: { idle: '100ms' } },
      nodes: [{ name: 'n1', address: '127.0.0.1', hostname: 'n1.test', max_sessions: 1 }],
      strategies: [{ name: 'free', concurrent_connections: 1, messages_per_connection: 10_000 }],
    },
  });
  await world.send('first@short.test');
  await world.ended(1);
  for (const domain of busy) await sendEach(world, 60, domain, 'n1');
  await world.send('last@short.test');
  await world.ended(5);
  clock.advance(6_000);
  await world.until((events) => events.some(isLast));
  const before = world.events().filter(({ type }) => type === 'delivered').length - 1;
  assert.ok(before <= 1 + 3 * 20 + 20, `${before} went before it`);
});
