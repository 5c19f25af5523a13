/** Domains of no ISP are counted by their set of MX hosts: however many a receiver hosts, they have one limit. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openMemoryKv } from '../../src/queue/index.ts';
import type { ZoneEntry } from '../../src/testbed/index.ts';
import { eventually } from '../support/mta-world.ts';
import { hostOf, openWorld, receiver, RunningClock } from '../unit/egress/sending-world.ts';

const DOMAINS = 60;
const LIMIT = 25;
const NOON = Date.UTC(2026, 5, 1, 12);

test('each receiver gets what its limit says, not each domain', async (t) => {
  const one = await receiver(t);
  const other = await receiver(t, {}, one.port);
  const zones: Record<string, ZoneEntry> = {
    'mx1.one.test': { A: [hostOf(one)], ttl: 300 },
    'mx2.one.test': { A: [hostOf(one)], ttl: 300 },
    'mx.other.test': { A: [hostOf(other)], ttl: 300 },
  };
  const names = Array.from({ length: DOMAINS }, (_, i) => `customer${i}.test`);
  for (const [i, name] of names.entries())
    zones[name] =
      i % 2 === 0
        ? {
            MX: [
              [10, 'mx1.one.test'],
              [20, 'mx2.one.test'],
            ],
            ttl: 300,
          }
        : { MX: [[10, 'mx.other.test']], ttl: 300 };
  const clock = new RunningClock();
  clock.step(NOON - clock.now());
  const world = await openWorld(t, {
    zones,
    clock,
    settings: {
      egress: { port: one.port },
      strategies: [{ name: 'free', daily_limit: LIMIT, concurrent_connections: 3 }],
    },
  });
  for (const name of names) await world.send(`a@${name}`);
  await world.ended(2 * LIMIT);
  await world.until(() => world.egress.whyWaiting('n1', names.at(-1)!) !== undefined);
  assert.deepEqual([one.stats().messages, other.stats().messages], [LIMIT, LIMIT]);
  const lanes = world.egress.nodes()[0]!.lanes;
  assert.deepEqual(lanes.map(({ key }) => key).sort(), ['mx:mx.other.test', 'mx:mx1.one.test,mx2.one.test']);
  assert.match(world.egress.whyWaiting('n1', names.at(-1)!)!, /strategy free: next message in/);
});

test('hosts to which nothing goes any more leave memory, and what they got today still counts', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const sink = await receiver(t);
  const zones: Record<string, ZoneEntry> = {
    'mx.one.test': { A: [hostOf(sink)], ttl: 300 },
    'one.test': { MX: [[10, 'mx.one.test']], ttl: 300 },
  };
  const clock = new RunningClock();
  clock.step(NOON - clock.now());
  const strategies = [{ name: 'free', daily_limit: 2, concurrent_connections: 3 }];
  const world = await openWorld(t, { zones, clock, settings: { egress: { port: sink.port }, strategies } });
  await world.send(['a@one.test', 'b@one.test']);
  await world.ended(2);
  const lanes = () => world.egress.nodes()[0]!.lanes;
  await eventually(() => lanes().every(({ sessions }) => sessions === 0), 'the session has ended');
  await eventually(() => {
    t.mock.timers.tick(60_000);
    return lanes().length === 0;
  }, 'nothing is in memory');
  const [path] = (await world.egress.path('one.test', ['n1'])).nodes;
  assert.match(path!.waiting!, /^strategy free: next message in/, 'the store knows');
  await world.send('c@one.test');
  await eventually(() => world.egress.whyWaiting('n1', 'one.test') !== undefined, 'the day is full');
  assert.match(world.egress.whyWaiting('n1', 'one.test')!, /^strategy free: next message in/);
  assert.equal(sink.stats().messages, 2);
});

test('limits of hosts that are never mailed again leave the store, those in use stay', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const sink = await receiver(t);
  const zones: Record<string, ZoneEntry> = {
    'mx.one.test': { A: [hostOf(sink)], ttl: 300 },
    'one.test': { MX: [[10, 'mx.one.test']], ttl: 300 },
    'mx.two.test': { A: [hostOf(sink)], ttl: 300 },
    'two.test': { MX: [[10, 'mx.two.test']], ttl: 300 },
  };
  const clock = new RunningClock();
  const kv = openMemoryKv();
  const strategies = [{ name: 'free', daily_limit: 2, concurrent_connections: 3 }];
  const settings = { egress: { port: sink.port }, strategies };
  const world = await openWorld(t, { zones, clock, kv, settings });
  const stored = (): string[] =>
    [...kv.range('limits', {})].map(({ key }) => key.toString().replace('\0', ' '));
  const forget = (): Promise<number> => world.queue.forgetLimits(world.egress.spentLimits(), 100);
  await world.send('a@one.test');
  await world.send('a@two.test');
  await world.ended(2);
  clock.advance(6 * 24 * 3_600_000);
  assert.equal(await forget(), 0, 'they are in memory');
  await eventually(() => {
    t.mock.timers.tick(60_000);
    return world.egress.nodes()[0]!.lanes.length === 0;
  }, 'nothing is in memory');
  assert.deepEqual(stored(), ['n1 mx:mx.one.test', 'n1 mx:mx.two.test']);
  clock.advance(4 * 24 * 3_600_000);
  assert.equal(await forget(), 0, 'a clock that is set back may ask for these days');
  await world.send('b@two.test');
  await world.ended(3);
  clock.advance(2 * 24 * 3_600_000);
  assert.equal(await forget(), 1);
  assert.deepEqual(stored(), ['n1 mx:mx.two.test']);
});
