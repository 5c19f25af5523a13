/** What a warm-up has no room for today goes to the sender's other nodes, or waits, as the plan says. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openMemoryKv } from '../../src/queue/index.ts';
import { eventually } from '../support/mta-world.ts';
import { openWorld, receiver, RunningClock, type World } from '../unit/egress/sending-world.ts';

const isps = [{ name: 'to', domains: ['to.test'] }];
const node = (i: number, warmup?: string): object => ({
  ...{ name: `n${i}`, address: `127.0.0.${i}`, hostname: `n${i}.test` },
  ...(warmup !== undefined && { warmup }),
});
const settings = (overflow: 'move' | 'wait', ...nodes: readonly object[]): Record<string, unknown> => ({
  isps,
  nodes,
  warmup_plans: [
    { name: 'new', stages: [3, 1000], overflow },
    { name: 'newer', stages: [2], overflow },
  ],
  senders: [
    {
      name: 'promo',
      nodes: [{ node: 'n1' }, { node: 'n2' }],
      retry: 'quick',
      strategies: { default: 'free' },
    },
    { name: 'other', nodes: [{ node: 'n3' }], retry: 'quick', strategies: { default: 'free' } },
  ],
});
const TO = Array.from({ length: 10 }, (_, i) => `r${i}@to.test`);
const moved = (world: World): number => world.events().filter(({ type }) => type === 'moved').length;

test('overflow: move takes the rest to the other node of the sender, and to no node of another', async (t) => {
  const sink = await receiver(t);
  const world = await openWorld(t, { sink, settings: settings('move', node(1, 'new'), node(2), node(3)) });
  await world.send(TO);
  await world.ended(10);
  assert.deepEqual(sink.stats().byPeerAddress, { '127.0.0.1': 3, '127.0.0.2': 7 });
  assert.equal(moved(world), 7);
  assert.ok(
    world.events().every(({ type }) => type !== 'soft_bounce'),
    'moving is no attempt',
  );
  assert.equal(sink.stats().duplicates, 0);
});

test('when the other node is full too, the rest waits and says why', async (t) => {
  const sink = await receiver(t);
  const world = await openWorld(t, {
    sink,
    settings: settings('move', node(1, 'new'), node(2, 'newer'), node(3)),
  });
  await world.send(TO);
  await world.ended(5);
  await world.until(() => world.egress.whyWaiting('n1', 'to.test') !== undefined);
  assert.match(world.egress.whyWaiting('n1', 'to.test')!, /warm-up new, stage 1: 3 a day/);
  assert.deepEqual(sink.stats().byPeerAddress, { '127.0.0.1': 3, '127.0.0.2': 2 });
});

test('overflow: wait keeps the rest until the next day, when the next stage holds', async (t) => {
  const clock = new RunningClock();
  const sink = await receiver(t);
  const world = await openWorld(t, {
    clock,
    sink,
    settings: settings('wait', node(1, 'new'), node(2), node(3)),
  });
  await world.send(TO, { expiresAt: clock.now() + 72 * 3_600_000 });
  await world.ended(3);
  await world.until(() => world.egress.whyWaiting('n1', 'to.test') !== undefined);
  assert.match(world.egress.whyWaiting('n1', 'to.test')!, /warm-up new, stage 1/);
  clock.advance(24 * 3_600_000);
  await world.configure({});
  await world.ended(10);
  assert.deepEqual(sink.stats().byPeerAddress, { '127.0.0.1': 10 });
  assert.equal(moved(world), 0);
});

test('explain knows the stage of a node that has sent nothing since the start', async (t) => {
  const kv = openMemoryKv();
  const sink = await receiver(t);
  const before = await openWorld(t, {
    kv,
    sink,
    settings: settings('wait', node(1, 'new'), node(2), node(3)),
  });
  const capsOf = async (world: World): Promise<(string | number | undefined)[][]> => {
    const { nodes } = await world.egress.path('to.test', ['n1']);
    return nodes[0]!.limits.map(({ setting, perDay }) => [setting, perDay]);
  };
  assert.deepEqual((await capsOf(before)).at(-1), ['warm-up new, stage 1 of 2', 3], 'never used');
  await before.send(TO.slice(0, 1));
  await before.ended(1);
  await before.stop();
  const after = await openWorld(t, {
    kv,
    sink,
    settings: settings('wait', node(1, 'new'), node(2), node(3)),
  });
  assert.equal(after.egress.nodes()[0]!.lanes.length, 0, 'nothing was sent yet');
  assert.deepEqual((await capsOf(after)).at(-1), ['warm-up new, stage 1 of 2', 3]);
});

test('what waits for its token when the warm-up pauses goes back, and keeps no session', async (t) => {
  const action = { code: 550, enhanced: '5.1.1', text: 'no such user' };
  const sink = await receiver(t, { messageLatencyMs: 300, rules: [{ phase: 'content', action }] });
  const world = await openWorld(t, {
    sink,
    settings: {
      ...settings('wait', node(1, 'new'), node(2), node(3)),
      warmup_plans: [{ name: 'new', stages: [1000], min_attempts: 1, max_hard_bounces: 1, overflow: 'wait' }],
      strategies: [{ name: 'free', rate: '60/1m', concurrent_connections: 5 }],
    },
  });
  await world.send(TO);
  await world.ended(1);
  await eventually(() => world.egress.nodeFigures()[0]!.sessions === 0, 'no session is left');
  assert.equal(world.events().length, TO.length + 1, 'one attempt');
  assert.match(world.egress.whyWaiting('n1', 'to.test')!, /warm-up paused/);
});

test('what moves is not the one that goes first when the lock of its sender is over', async (t) => {
  const clock = new RunningClock();
  const action = { code: 451, enhanced: '4.7.1', text: 'blocked for now' };
  const sink = await receiver(t, { rules: [{ phase: 'rcpt', recipient: 'blocked@to.test', action }] });
  const given = {
    ...settings('move', node(1, 'new'), node(2), node(3)),
    retry_rules: [{ name: 'quick', attempts: 100, type: 'fixed', interval: '2h' }],
    lock_rules: [{ name: 'stop', scope: 'sender_isp', duration: '30m' }],
    rules: [{ name: 'blocked', when: { code: [451] }, then: { lock: 'stop' } }],
  };
  const world = await openWorld(t, { clock, sink, settings: given });
  await world.send(TO.slice(0, 3));
  await world.ended(3);
  await world.send('blocked@to.test');
  await world.until(() => world.egress.control.locks().length === 1);
  await world.send('next@to.test');
  clock.advance(30 * 60_000);
  await world.configure(given);
  await world.ended(4);
  assert.deepEqual(world.story('next@to.test'), ['moved', 'delivered 250']);
});
