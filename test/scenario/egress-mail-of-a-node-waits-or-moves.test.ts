import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FaultyKv } from '../unit/queue/fixture.ts';
import { queuesOf } from '../support/queues.ts';
import { openWorld, receiver, routeTo, type World } from '../unit/egress/sending-world.ts';

const node = (name: string, address: string, rest: object = {}): object => ({
  name,
  address,
  hostname: `${name}.test`,
  ...rest,
});
const sender = (...nodes: string[]): object => ({
  name: 'promo',
  nodes: nodes.map((one) => ({ node: one })),
  retry: 'quick',
  strategies: { default: 'free' },
});
/** Not on this machine: RFC 5737. */
const ELSEWHERE = '192.0.2.1';

const stateOf = (world: World, name: string): string | undefined =>
  world.egress.nodes().find((one) => one.name === name)?.state;

test('the address is not on this machine: the mail waits, untouched, until it is', async (t) => {
  const sink = await receiver(t);
  const world = await openWorld(t, { sink, faults: true, settings: { nodes: [node('n1', ELSEWHERE)] } });
  assert.equal(stateOf(world, 'n1'), 'down');
  await world.send(['a@to.test', 'b@to.test']);
  assert.ok(!world.egress.isUp('n1'));
  assert.ok(!world.egress.claim(queuesOf(world.queue, 'n1', 'to.test')[0]!));
  assert.equal(world.egress.whyWaiting('n1', 'to.test'), 'node n1 is down');
  assert.deepEqual(world.story('a@to.test'), []);
  await world.configure({ nodes: [node('n1', '127.0.0.1')] });
  await world.ended(2);
  assert.deepEqual(world.story('a@to.test'), ['delivered 250']);
  assert.deepEqual(sink.stats().byPeerAddress, { '127.0.0.1': 2 });
});

test('when_down: move takes its mail to another node of the sender, as soon as one is up', async (t) => {
  const sink = await receiver(t);
  const nodes = [node('n1', ELSEWHERE, { when_down: 'move' }), node('n2', '127.0.0.2')];
  const world = await openWorld(t, {
    sink,
    faults: true,
    settings: { nodes, senders: [sender('n1', 'n2')] },
  });
  await world.egress.control.disable('n2');
  await world.send(['a@to.test', 'b@to.test', 'c@other.test']);
  await world.send('later@to.test', { wakeAt: Date.now() + 300 });
  assert.deepEqual(world.story('a@to.test'), [], 'there is none');
  await world.egress.control.resume('n2');
  await world.ended(4);
  for (const to of ['a@to.test', 'c@other.test', 'later@to.test'])
    assert.deepEqual(world.story(to), ['moved', 'delivered 250']);
  assert.deepEqual(sink.stats().byPeerAddress, { '127.0.0.2': 4 });
});

test('a node that is switched off sends nothing, and goes on when it is on again', async (t) => {
  const sink = await receiver(t);
  const world = await openWorld(t, { sink });
  await world.send('a@to.test');
  await world.ended(1);
  await world.configure({ nodes: [node('n1', '127.0.0.1', { enabled: false })] });
  assert.equal(stateOf(world, 'n1'), 'stopped');
  await world.send('b@to.test');
  assert.equal(sink.stats().messages, 1);
  await world.configure({});
  await world.ended(2);
});

test('a node that is taken away: its mail moves to another one of the sender', async (t) => {
  const sink = await receiver(t);
  const world = await openWorld(t, {
    sink,
    faults: true,
    settings: { nodes: [node('n1', ELSEWHERE), node('n2', '127.0.0.2')], senders: [sender('n1', 'n2')] },
  });
  await world.send(['a@to.test', 'b@to.test', 'c@other.test']);
  await world.configure({ nodes: [node('n2', '127.0.0.2')], senders: [sender('n2')] });
  await world.ended(3);
  assert.deepEqual(world.story('a@to.test'), ['moved', 'delivered 250']);
  assert.deepEqual(sink.stats().byPeerAddress, { '127.0.0.2': 3 });
});

test('a store that fails while mail moves: it moves later', async (t) => {
  const kv = new FaultyKv();
  const sink = await receiver(t);
  const world = await openWorld(t, {
    kv,
    sink,
    faults: true,
    settings: { nodes: [node('n1', ELSEWHERE), node('n2', '127.0.0.2')], senders: [sender('n1', 'n2')] },
  });
  await world.send(['a@to.test', 'b@to.test']);
  kv.failures = 2;
  await world.configure({ nodes: [node('n2', '127.0.0.2')], senders: [sender('n2')] });
  await world.ended(2);
  assert.equal(sink.stats().messages, 2);
});

test('mail of a node that nobody configured waits for one, and is reported', async (t) => {
  const sink = await receiver(t);
  const world = await openWorld(t, { sink, faults: true });
  await world.send('a@to.test', { node: 'ghost', sender: 'nobody' });
  await world.reported(/wait for node ghost, which is not configured/);
  assert.match(world.egress.whyWaiting('ghost', 'to.test')!, /not configured/);
  assert.deepEqual(world.story('a@to.test'), []);
});

test('a node that is taken away while it sends finishes what it has begun', async (t) => {
  const slow = await receiver(t, { messageLatencyMs: 50 });
  const world = await openWorld(t, {
    sink: slow,
    settings: { nodes: [node('n1', '127.0.0.1'), node('n2', '127.0.0.2')], senders: [sender('n1', 'n2')] },
  });
  await world.send(['a@to.test', 'b@to.test', 'c@to.test']);
  assert.ok(await slow.until(({ sessionsOpen }) => sessionsOpen > 0));
  await world.configure({ nodes: [node('n2', '127.0.0.2')], senders: [sender('n2')] });
  await world.send('d@to.test', { node: 'n2' });
  await world.ended(4);
  assert.equal(slow.stats().duplicates, 0);
  assert.equal(slow.stats().messages, 4);
});

test('retry mode sender_nodes: each attempt leaves from the next node', async (t) => {
  const later = { code: 450, enhanced: undefined, text: 'later' };
  const sink = await receiver(t, { rules: [{ phase: 'rcpt', action: later }] });
  const retry_rules = [{ name: 'quick', attempts: 5, type: 'fixed', interval: '5ms', mode: 'sender_nodes' }];
  const nodes = [1, 2, 3].map((i) => node(`n${i}`, `127.0.0.${i}`));
  const world = await openWorld(t, {
    sink,
    settings: { nodes, retry_rules, senders: [sender('n1', 'n2', 'n3')] },
  });
  await world.send('a@to.test', { node: 'n2' });
  await world.ended(1);
  const attempts = world.events().filter(({ attempt }) => attempt !== undefined);
  assert.deepEqual(
    attempts.map((event) => `${event.node} ${event.source_ip} ${event.next_node ?? ''}`),
    ['n2 127.0.0.2 n3', 'n3 127.0.0.3 n1', 'n1 127.0.0.1 n2', 'n2 127.0.0.2 n3', 'n3 127.0.0.3 '],
  );
});

for (const [mode, mine, way] of [
  ['same_node', ['n1', 'n2'], ['n1', 'n1', 'n1']],
  ['sender_nodes', ['n1', 'n2'], ['n1', 'n2', 'n1']],
  // No other node of its own: the same one again.
  ['sender_nodes', ['n1'], ['n1', 'n1', 'n1']],
  // Its own nodes come first; a node of nobody else's sender is taken only when there is none.
  ['any_node', ['n1', 'n2'], ['n1', 'n2', 'n1']],
  ['any_node', ['n1'], ['n1', 'n2', 'n1']],
] as const) {
  test(`retry mode ${mode} with the nodes ${mine.join(', ')} of the sender: ${way.join(', ')}`, async (t) => {
    const later = { code: 450, enhanced: undefined, text: 'later' };
    const sink = await receiver(t, { rules: [{ phase: 'rcpt', action: later }] });
    const retry_rules = [{ name: 'quick', attempts: 3, type: 'fixed', interval: '5ms', mode }];
    const others = ['n1', 'n2', 'n3'].filter((name) => !(mine as readonly string[]).includes(name));
    const world = await openWorld(t, {
      sink,
      settings: {
        nodes: [1, 2, 3].map((i) => node(`n${i}`, `127.0.0.${i}`)),
        retry_rules,
        senders: [sender(...mine), { ...sender(...others), name: 'other' }],
      },
    });
    await world.send('a@to.test');
    await world.ended(1);
    const attempts = world.events().filter(({ attempt }) => attempt !== undefined);
    assert.deepEqual(
      attempts.map((event) => event.node),
      way,
    );
    assert.deepEqual(
      attempts.map((event) => event.source_ip),
      way.map((name) => `127.0.0.${name.slice(1)}`),
    );
  });
}

test('a reload changes the way: mail that comes then takes the new route, also at acceptance', async (t) => {
  const [before, after] = [await receiver(t), await receiver(t)];
  const world = await openWorld(t, { sink: before });
  await world.send('a@to.test');
  await world.ended(1);
  await world.configure({ routes: [routeTo(after)] });
  await world.send('b@to.test');
  await world.ended(2);
  await world.send('c@to.test');
  await world.ended(3);
  assert.deepEqual([before.stats().messages, after.stats().messages], [1, 2]);
});

test('a reload changes the speed: mail that waited for a token goes at once', async (t) => {
  const sink = await receiver(t);
  const slow = [{ name: 'free', rate: '1/1h', concurrent_connections: 1 }];
  const world = await openWorld(t, { sink, settings: { strategies: slow } });
  await world.send(['a@to.test', 'b@to.test', 'c@to.test']);
  await world.ended(1);
  assert.match(world.egress.nodes()[0]!.lanes[0]!.waiting!, /next message in 3[56]\d\d s/);
  await world.configure({ strategies: [{ name: 'free', concurrent_connections: 2 }] });
  await world.ended(3);
});
