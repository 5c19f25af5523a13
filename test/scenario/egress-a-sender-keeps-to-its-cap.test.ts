/** A cap of a sender holds over its nodes, keeps its mail in the store, delays nobody else, and is gone with a reload. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import type { Sink } from '../../src/testbed/index.ts';
import { openWorld, receiver, routeTo, type World } from '../unit/egress/sending-world.ts';

const settings = (sink: Sink, rate: string | undefined) => ({
  routes: [routeTo(sink)],
  isps: [{ name: 'big', domains: ['big.test'] }],
  nodes: ['n1', 'n2'].map((name, i) => ({ name, address: `127.0.0.${i + 1}`, hostname: `${name}.test` })),
  senders: ['promo', 'other'].map((name) => ({
    name,
    nodes: [{ node: 'n1' }, { node: 'n2' }],
    retry: 'quick',
    strategies: { default: 'free' },
  })),
  caps: rate ? [{ name: 'tight', isp: 'big', sender: 'promo', rate }] : [],
});

async function send(world: World, sender: string, count: number): Promise<void> {
  for (let i = 0; i < count; i++)
    await world.send(`${sender}${i}@big.test`, { sender, node: i % 2 ? 'n1' : 'n2' });
}

const delivered = (world: World, sender: string): number =>
  world.events().filter((event) => event.type === 'delivered' && event.sender === sender).length;

async function open(t: TestContext, rate: string): Promise<{ world: World; sink: Sink }> {
  const sink = await receiver(t);
  return { world: await openWorld(t, { settings: settings(sink, rate) }), sink };
}

test('its mail waits for the cap, says so, and delays no other sender', async (t) => {
  const { world } = await open(t, '1/1h');
  await send(world, 'promo', 30);
  await send(world, 'other', 30);
  await world.until(() => delivered(world, 'other') === 30 && delivered(world, 'promo') === 1);
  const of = { account: '', campaign: '', sender: 'promo' };
  assert.match(world.egress.whyWaiting('n1', 'big.test', of)!, /^cap tight: next message in 3[56]\d\d s$/);
  assert.equal(world.egress.whyWaiting('n1', 'big.test', { ...of, sender: 'other' }), undefined);
});

test('with each token one of it goes, over both nodes', async (t) => {
  const { world } = await open(t, '10/1s');
  await send(world, 'promo', 15);
  await world.until(() => delivered(world, 'promo') === 15);
});

test('a reload that raises the cap, or takes it away, keeps none of it waiting', async (t) => {
  const { world, sink } = await open(t, '1/1h');
  await send(world, 'promo', 40);
  await world.until(() => delivered(world, 'promo') === 1);
  await world.configure(settings(sink, '3600/1h'));
  await world.until(() => delivered(world, 'promo') >= 3);
  await world.configure(settings(sink, undefined));
  await world.until(() => delivered(world, 'promo') === 40);
});
