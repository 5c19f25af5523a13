/**
 * Caps hold over nodes: of a sender, of an ISP. Their mail stays in the store until it may go, takes turns, delays nobody
 * else, and is free with a reload; a restart goes on where the process ended.
 */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { openMemoryKv } from '../../src/queue/index.ts';
import type { Kv } from '../../src/queue/kv.ts';
import type { Sink } from '../../src/testbed/index.ts';
import { mostIn } from '../support/windows.ts';
import { openWorld, receiver, routeTo, RunningClock, type World } from '../unit/egress/sending-world.ts';

const HOUR = 3_600_000;
const DOMAINS = ['big.test', ...Array.from({ length: 30 }, (_, i) => `d${i}.test`)];

interface Wish {
  readonly rate?: string | undefined;
  /** Of one sender, or of the ISP. */
  readonly sender?: string | undefined;
  readonly nodes?: number;
  readonly strategy?: object;
}

const settings = (sink: Sink, { rate, sender, nodes: count = 2, strategy }: Wish) => {
  const names = Array.from({ length: count }, (_, i) => `n${i + 1}`);
  return {
    routes: [routeTo(sink)],
    isps: [{ name: 'big', domains: DOMAINS }],
    nodes: names.map((name, i) => ({ name, address: `127.0.0.${i + 1}`, hostname: `${name}.test` })),
    strategies: [{ name: 'free', concurrent_connections: 5, messages_per_connection: 100, ...strategy }],
    senders: ['promo', 'other'].map((name) => ({
      name,
      nodes: names.map((node) => ({ node })),
      retry: 'quick',
      strategies: { default: 'free' },
    })),
    caps: rate ? [{ name: 'tight', isp: 'big', ...(sender && { sender }), rate }] : [],
  };
};

async function send(world: World, sender: string, count: number, nodes = 2): Promise<void> {
  for (let i = 0; i < count; i++)
    await world.send(`${sender}${i}@big.test`, { sender, node: `n${1 + (i % nodes)}` });
}

const deliveriesOf = (world: World, sender: string) =>
  world.events().filter((event) => event.type === 'delivered' && event.sender === sender);
const delivered = (world: World, sender: string): number => deliveriesOf(world, sender).length;

const inMemory = (world: World): number =>
  world.egress
    .nodes()
    .reduce((sum, { lanes }) => sum + lanes.reduce((n, { inFlight }) => n + inFlight, 0), 0);

interface More {
  readonly kv?: Kv;
  readonly clock?: RunningClock;
  readonly sink?: Sink;
}

async function open(t: TestContext, wish: Wish, more: More = {}): Promise<{ world: World; sink: Sink }> {
  const sink = more.sink ?? (await receiver(t));
  const { kv, clock } = more;
  const world = await openWorld(t, {
    ...(kv && { kv }),
    ...(clock && { clock }),
    settings: settings(sink, wish),
  });
  return { world, sink };
}

const PROMO = { sender: 'promo' };

test('its mail waits in the store, says so, and delays no other sender', async (t) => {
  const { world } = await open(t, { ...PROMO, rate: '1/1h' });
  await send(world, 'promo', 30);
  await send(world, 'other', 30);
  await world.until(() => delivered(world, 'other') === 30 && delivered(world, 'promo') === 1);
  const of = { account: '', campaign: '', sender: 'promo' };
  assert.match(world.egress.whyWaiting('n1', 'big.test', of)!, /^cap tight: next message in 3[56]\d\d s$/);
  assert.equal(world.egress.whyWaiting('n1', 'big.test', { ...of, sender: 'other' }), undefined);
  assert.equal(inMemory(world), 0);
  const [lane] = world.egress.nodes()[0]!.lanes;
  assert.match(
    lane!.waiting!,
    /^cap tight of sender promo: next message in 3[56]\d\d s$/,
    'nothing else goes here now',
  );
});

test('with each token one of it goes and no more, over both nodes', async (t) => {
  const { world } = await open(t, { ...PROMO, rate: '5/1s' });
  await send(world, 'promo', 15);
  await world.until(() => delivered(world, 'promo') === 15);
  const gone = deliveriesOf(world, 'promo');
  assert.deepEqual(new Set(gone.map(({ node }) => node)), new Set(['n1', 'n2']));
  // Three tokens; the answers, whose times these are, may come late.
  const most = mostIn(
    gone.map(({ time }) => Date.parse(time)),
    600,
  );
  assert.ok(most <= 5, `${most} in 0.6 s`);
});

test('a reload that raises the cap, or takes it away, keeps none of it waiting', async (t) => {
  const { world, sink } = await open(t, { ...PROMO, rate: '1/1h' });
  await send(world, 'promo', 40);
  await world.until(() => delivered(world, 'promo') === 1);
  await world.configure(settings(sink, { ...PROMO, rate: '3600/1h' }));
  await world.until(() => delivered(world, 'promo') >= 3);
  await world.configure(settings(sink, {}));
  await world.until(() => delivered(world, 'promo') === 40);
});

test('over fifty nodes no more is leased than may go soon', async (t) => {
  const { world } = await open(t, { ...PROMO, rate: '2/1s', nodes: 50 });
  await send(world, 'promo', 150, 50);
  let most = 0;
  await world.until(() => {
    most = Math.max(most, inMemory(world));
    return delivered(world, 'promo') >= 6;
  });
  assert.ok(most <= 6, `${most} in memory at a time`);
});

test('a small campaign of the sender, and one of another band, do not wait behind a large one', async (t) => {
  const { world } = await open(t, { ...PROMO, rate: '10/1s' });
  for (const [i, domain] of DOMAINS.entries())
    await world.send(`large${i}@${domain}`, {
      accountId: 'shop',
      campaignId: 'large',
      node: `n${1 + (i % 2)}`,
    });
  await world.until(() => delivered(world, 'promo') === 3);
  const before = delivered(world, 'promo');
  await world.send('small@d1.test', { accountId: 'shop', campaignId: 'small', node: 'n1' });
  await world.send('first@d2.test', { accountId: 'shop', campaignId: 'first', node: 'n2', band: 'priority' });
  await world.until(() => delivered(world, 'promo') === DOMAINS.length + 2);
  const order = deliveriesOf(world, 'promo').map(({ recipient }) => recipient);
  const places = [order.indexOf('small@d1.test'), order.indexOf('first@d2.test')];
  assert.ok(
    places.every((place) => place < before + 12),
    `places ${places.join(', ')}; they were sent after ${before}`,
  );
});

test('that of an ISP holds for all senders together', async (t) => {
  const { world, sink } = await open(t, { rate: '1/1h' });
  await send(world, 'promo', 20);
  await send(world, 'other', 20);
  const all = (): number => delivered(world, 'promo') + delivered(world, 'other');
  await world.until(() => all() === 1 && inMemory(world) === 0);
  const of = { account: '', campaign: '', sender: 'other' };
  assert.match(world.egress.whyWaiting('n2', 'big.test', of)!, /^cap tight: next message in 3[56]\d\d s$/);
  await world.configure(settings(sink, {}));
  await world.until(() => all() === 40);
});

test('after an orderly stop the next one goes when it would have gone', async (t) => {
  const [kv, clock] = [openMemoryKv(), new RunningClock()];
  const { world: first, sink } = await open(t, { ...PROMO, rate: '1/1h' }, { kv, clock });
  await send(first, 'promo', 20);
  await first.until(() => delivered(first, 'promo') === 1);
  await first.stop();
  clock.advance(HOUR + 1_000);
  const { world: second } = await open(t, { ...PROMO, rate: '1/1h' }, { kv, clock, sink });
  await second.until(() => delivered(second, 'promo') === 2);
});

test('what a strategy reserved for mail that was not sent is free after an orderly stop', async (t) => {
  const [kv, clock] = [openMemoryKv(), new RunningClock()];
  const silent = await receiver(t, { rules: [{ phase: 'greeting', action: 'hang' }] });
  const wish = { nodes: 1, strategy: { daily_limit: 5 } };
  const { world: first } = await open(t, wish, { kv, clock, sink: silent });
  await send(first, 'promo', 20, 1);
  assert.ok(await silent.until(({ connections }) => connections > 0));
  await first.stop(0);
  const { world: second } = await open(t, wish, { kv, clock });
  await second.until(() => delivered(second, 'promo') === 5);
});
