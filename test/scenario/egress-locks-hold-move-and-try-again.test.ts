import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Event } from '../../src/core/index.ts';
import { openMemoryKv } from '../../src/queue/index.ts';
import { startPeer } from '../support/scripted-peer.ts';
import { openWorld, receiver, RunningClock, TWO_NODES, type World } from '../unit/egress/sending-world.ts';

const node = (i: number): object => ({ name: `n${i}`, address: `127.0.0.${i}`, hostname: `n${i}.test` });
const sender = (name: string, ...nodes: number[]): object => ({
  name,
  nodes: nodes.map((i) => ({ node: `n${i}` })),
  retry: 'quick',
  strategies: { default: 'free' },
});
const BLOCKED = { code: 554, enhanced: '5.7.1', text: 'blocked' };
const LATER = { code: 451, enhanced: '4.7.1', text: 'blocked for now' };
const isps = [{ name: 'to', domains: ['to.test'] }];
const lockBy = (rule: object): Record<string, unknown> => ({
  isps,
  lock_rules: [{ name: 'stop', duration: '30m', ...rule }],
  rules: [{ name: 'blocked', when: { code: [451, 554] }, then: { lock: 'stop' } }],
});

const locksOf = (world: World): string[] =>
  world.egress.control
    .locks()
    .map(({ record }) => `${record.scope} ${record.node ?? '*'} ${record.isp ?? '*'}`);
const eventsOf = (world: World, type: Event['type']): Event[] =>
  [...world.queue.state.journal.events(0)].filter((event) => event.type === type);

test('a refusal locks the node towards the ISP; the mail waits, untouched, and says why', async (t) => {
  const sink = await receiver(t, {
    rules: [{ phase: 'rcpt', recipient: 'first@to.test', action: BLOCKED }],
  });
  const world = await openWorld(t, { sink, settings: lockBy({}) });
  await world.send('first@to.test');
  await world.ended(1);
  await world.send(['a@to.test', 'b@to.test']);
  await world.send('c@other.test');
  await world.ended(2);
  assert.deepEqual(world.story('c@other.test'), ['delivered 250']);
  assert.deepEqual(world.story('a@to.test'), []);
  assert.match(
    world.egress.whyWaiting('n1', 'to.test')!,
    /locked by blocked, (?:30m|29m5\ds) left: 554 5\.7\.1 blocked/,
  );
  const lock = eventsOf(world, 'lock')[0];
  assert.deepEqual([lock!.node, lock!.isp, lock!.reply?.code], ['n1', 'to', 554]);
  assert.equal(world.egress.control.locks()[0]!.record.reason, '554 5.7.1 blocked');
  const bounced = world.events().find(({ recipient, bounce }) => recipient === 'first@to.test' && bounce);
  assert.equal(bounced?.bounce?.rule, 'blocked');
  assert.ok(lock!.seq < bounced.seq, 'one commit');
  await world.egress.control.unlock('n1', undefined);
  await world.ended(4);
  assert.deepEqual(world.story('a@to.test'), ['delivered 250']);
  assert.equal(eventsOf(world, 'unlock').length, 1);
});

test('a threshold takes as many refusals as it says', async (t) => {
  const sink = await receiver(t, { rules: [{ phase: 'rcpt', action: BLOCKED }] });
  const world = await openWorld(t, { sink, settings: lockBy({ threshold: '3/1m' }) });
  for (const [i, locks] of [[], [], ['node_isp n1 to']].entries()) {
    await world.send(`r${i}@to.test`);
    await world.ended(i + 1);
    assert.deepEqual(locksOf(world), locks);
  }
});

test('waiting: move takes the mail to the nodes of its sender that are not locked', async (t) => {
  const rules = [{ phase: 'rcpt', recipient: 'first@to.test', action: BLOCKED }] as const;
  const sink = await receiver(t, { rules });
  const settings = {
    ...lockBy({ waiting: 'move' }),
    nodes: [1, 2, 3].map(node),
    senders: [sender('promo', 1, 2, 3)],
  };
  const world = await openWorld(t, { sink, settings });
  await world.send('first@to.test');
  await world.ended(1);
  await world.egress.control.lock('n2', { isp: 'to' });
  await world.send(['a@to.test', 'b@to.test', 'c@to.test']);
  await world.ended(4);
  assert.deepEqual(world.story('a@to.test'), ['moved', 'delivered 250']);
  assert.equal(sink.stats().byPeerAddress['127.0.0.3'], 3);
  assert.equal(sink.stats().duplicates, 0);
});

test('when the time is over one delivery goes first: refused, the lock lasts longer; delivered, it ends', async (t) => {
  const clock = new RunningClock();
  const sink = await receiver(t, { rules: [{ phase: 'rcpt', recipient: 'a@to.test', action: LATER }] });
  const retry_rules = [{ name: 'quick', attempts: 100, type: 'fixed', interval: '20ms' }];
  const settings = { ...lockBy({ escalate: 3 }), retry_rules };
  const world = await openWorld(t, { clock, sink, settings });
  const lockedFor = (minutes: number): Promise<void> =>
    world.until(() => {
      const record = world.egress.control.locks()[0]?.record;
      return record !== undefined && record.until! - record.since === minutes * 60_000;
    });
  await world.send('a@to.test');
  await lockedFor(30);
  clock.advance(30 * 60_000);
  await world.configure(settings);
  await lockedFor(90);
  await world.send('b@to.test', { wakeAt: 1 });
  assert.deepEqual([world.story('b@to.test'), world.story('a@to.test').length], [[], 2]);
  clock.advance(90 * 60_000);
  await world.configure(settings);
  await world.ended(1);
  assert.deepEqual(world.story('b@to.test'), ['delivered 250']);
  assert.match(eventsOf(world, 'unlock')[0]!.reason!, /probe was delivered/);
});

test('of all mail that a lock of the node stops one delivery goes first, wherever it goes', async (t) => {
  const clock = new RunningClock();
  const sink = await receiver(t, { rules: [{ phase: 'rcpt', action: LATER }] });
  const retry_rules = [{ name: 'quick', attempts: 100, type: 'fixed', interval: '1m' }];
  const domains = ['to.test', 'b.test', 'c.test', 'd.test'];
  const settings = {
    ...lockBy({ scope: 'node' }),
    retry_rules,
    isps: [
      { name: 'to', domains: ['to.test'] },
      ...domains.slice(1).map((domain) => ({ name: domain[0], domains: [domain] })),
    ],
  };
  const world = await openWorld(t, { clock, sink, settings });
  const attempts = (): number => world.events().filter(({ type }) => type === 'soft_bounce').length;
  await world.send('first@to.test');
  await world.until(() => attempts() === 1);
  await world.send(domains.map((domain) => `a@${domain}`));
  for (const level of [1, 2]) {
    clock.advance(level * 30 * 60_000);
    await world.configure(settings);
    await world.until(() => world.egress.control.locks()[0]?.record.level === level);
  }
  await world.stop(); // what is on its way ends
  assert.equal(attempts(), 3);
});

for (const [scope, ...isps] of [
  ['node', ['to.test'], ['next.test']],
  ['sender_isp', ['to.test', 'next.test']],
] as const)
  test(`when a probe ends without a word another delivery goes first (scope: ${scope})`, async (t) => {
    const clock = new RunningClock();
    const answers = ['451 4.7.1 blocked for now', [{ act: 'hang' }] as const];
    const peer = await startPeer({ RCPT: (_, count) => answers[count - 1] ?? '250 ok' });
    t.after(() => peer.close());
    const settings = {
      ...lockBy({ scope }),
      routes: [{ domain: '*', hosts: [`127.0.0.1:${peer.port}`], tls: 'none' }],
      retry_rules: [{ name: 'quick', attempts: 100, type: 'fixed', interval: '1h' }],
      isps: isps.map((domains) => ({ name: domains[0].split('.')[0], domains })),
    };
    const world = await openWorld(t, { clock, settings });
    await world.send('first@to.test');
    await world.until(() => locksOf(world).length === 1);
    await world.send('probe@to.test');
    clock.advance(30 * 60_000);
    await world.configure(settings);
    await peer.until(() => peer.lines.includes('RCPT TO:<probe@to.test>'));
    await world.send('next@next.test');
    peer.links.at(-1)!.end('close');
    await world.ended(1);
    assert.deepEqual(
      [world.story('probe@to.test'), world.story('next@next.test')],
      [['soft_bounce'], ['delivered 250']],
    );
  });

test('a lock by hand ends by time alone; one of the whole node stops everything from it', async (t) => {
  const clock = new RunningClock();
  const sink = await receiver(t);
  const world = await openWorld(t, { clock, sink });
  await world.egress.control.lock('n1', { durationMs: 3_600_000, reason: 'holiday' });
  assert.equal(world.egress.isUp('n1'), false);
  assert.equal(world.egress.nodes()[0]!.state, 'locked');
  await world.send(['a@to.test', 'b@other.test']);
  assert.match(world.egress.whyWaiting('n1', 'to.test')!, /locked by hand, (?:1h|59m5\ds) left: holiday/);
  assert.equal(sink.stats().messages, 0);
  clock.advance(3_600_000);
  await world.configure({});
  await world.ended(2);
});

test('a lock of a sender towards an ISP leaves the other senders alone', async (t) => {
  const sink = await receiver(t, {
    rules: [{ phase: 'rcpt', recipient: 'first@to.test', action: BLOCKED }],
  });
  const senders = [sender('promo', 1), sender('other', 1)];
  const world = await openWorld(t, { sink, settings: { ...lockBy({ scope: 'sender_isp' }), senders } });
  await world.send('first@to.test');
  await world.ended(1);
  await world.send('a@to.test');
  await world.send('b@to.test', { sender: 'other' });
  await world.ended(2);
  assert.deepEqual([world.story('a@to.test'), world.story('b@to.test')], [[], ['delivered 250']]);
});

test('locks and the states of nodes hold over a restart', async (t) => {
  const kv = openMemoryKv();
  const sink = await receiver(t, { rules: [{ phase: 'rcpt', action: BLOCKED }] });
  const settings = { ...lockBy({}), nodes: [1, 2].map(node), senders: [sender('promo', 1, 2)] };
  const first = await openWorld(t, { kv, sink, settings });
  await first.send('first@to.test');
  await first.ended(1);
  await first.egress.control.drain('n2');
  await first.stop();
  const second = await openWorld(t, { kv, sink, settings });
  assert.deepEqual(locksOf(second), ['node_isp n1 to']);
  assert.deepEqual(
    second.egress.nodes().map(({ state }) => state),
    ['running', 'draining'],
  );
  await second.egress.control.resume('n2');
  assert.equal(second.egress.isUp('n2'), true);
});

test('a draining node takes no new mail and sends what it has; a disabled one waits', async (t) => {
  const sink = await receiver(t);
  const world = await openWorld(t, { sink });
  await world.egress.control.drain('n1');
  assert.equal(world.egress.isUp('n1'), false);
  await world.send('a@to.test');
  await world.ended(1);
  await world.egress.control.disable('n1');
  await world.send('b@to.test');
  assert.equal(world.egress.nodes()[0]!.state, 'stopped');
  assert.equal(sink.stats().messages, 1);
  await world.egress.control.resume('n1');
  await world.ended(2);
});

test('since when a node drains or is down is told; the order of an operator keeps its time over a restart', async (t) => {
  const kv = openMemoryKv();
  const clock = new RunningClock();
  const settings = { ...TWO_NODES, nodes: [node(1), { ...node(2), address: '192.0.2.77' }] };
  const told = (world: World): unknown[] =>
    world.egress.nodeFigures().map(({ state, stateSince }) => [state, stateSince]);
  const timeOf = (world: World, n: number): number => world.egress.nodeFigures()[n]!.stateSince!;
  const first = await openWorld(t, { kv, settings, clock, faults: true });
  const down = timeOf(first, 1);
  clock.advance(60_000);
  await first.egress.control.drain('n1');
  const drained = timeOf(first, 0);
  assert.ok(drained >= down + 60_000);
  clock.advance(60_000);
  await first.egress.control.drain('n1');
  assert.deepEqual(
    told(first),
    [
      ['draining', drained],
      ['down', down],
    ],
    'a second order changes nothing',
  );
  await first.stop();
  const second = await openWorld(t, { kv, settings, clock, faults: true });
  assert.deepEqual(told(second)[0], ['draining', drained]);
  assert.ok(timeOf(second, 1) > drained, 'an address is missing since the program looks for it');
  await second.egress.control.resume('n1');
  assert.deepEqual(told(second)[0], ['running', undefined]);
  await second.egress.control.lock('n1', {});
  const [lock] = second.egress.control.locks();
  assert.deepEqual(told(second)[0], ['locked', lock!.record.since]);
});

test('a lock by hand of the hosts of no ISP is one of `other`, where it is shown and lifted', async (t) => {
  const world = await openWorld(t);
  const { control } = world.egress;
  const placed = (): unknown[][] => control.locks().map(({ record: { isp, lane } }) => [isp, lane]);
  for (const isp of ['mx:mx.a.test', 'mx:mx.b.test', 'isp:to', 'from']) await control.lock('n1', { isp });
  assert.deepEqual(placed(), [
    ['other', 'mx:mx.a.test'],
    ['other', 'mx:mx.b.test'],
    ['to', 'isp:to'],
    ['from', 'isp:from'],
  ]);
  const [event] = eventsOf(world, 'lock');
  assert.deepEqual([event?.isp, event?.mx], ['other', 'mx.a.test']);
  assert.equal(await control.unlock('n1', 'mx:mx.a.test'), 1);
  assert.equal(await control.unlock('n1', 'other'), 1);
  assert.deepEqual(
    placed().map(([isp]) => isp),
    ['to', 'from'],
  );
});

test('a reload that changes speeds and rules keeps the open session', async (t) => {
  const sink = await receiver(t);
  const egress = { timeouts: { idle: '10s' } };
  const world = await openWorld(t, { sink, settings: { egress, isps } });
  await world.send('a@to.test');
  await world.ended(1);
  const strategies = [{ name: 'free', rate: '1000/1s', concurrent_connections: 2 }];
  await world.configure({ egress, strategies, ...lockBy({}) });
  await world.send('b@to.test');
  await world.ended(2);
  assert.equal(sink.stats().connections, 1);
});

test('a sender is stopped towards an ISP when it, or every node of it, is locked there', async (t) => {
  const settings = { ...lockBy({}), nodes: [node(1), node(2)], senders: [sender('promo', 1, 2)] };
  const world = await openWorld(t, { settings });
  const { control } = world.egress;
  const promo = { name: 'promo', nodes: [1, 2].map((i) => ({ node: `n${i}`, weight: 1 })) };
  const state = (): boolean[] => [control.isLocked(promo, 'to'), control.isLocked(promo, undefined)];
  assert.deepEqual(state(), [false, false]);
  await control.lock('n1', { isp: 'to' });
  assert.deepEqual(state(), [false, false], 'n2 still sends');
  await control.lock('n2', { isp: 'to' });
  assert.deepEqual(state(), [true, false]);
  await control.unlock('n1', 'to');
  await control.lock('n1', {});
  assert.deepEqual(state(), [true, false]);
  await control.lock('n2', {});
  assert.deepEqual(state(), [true, true]);
});
