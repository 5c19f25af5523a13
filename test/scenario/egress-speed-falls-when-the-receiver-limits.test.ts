/** An adaptive strategy in front of a receiver that limits: slower, with the reason, and still so after a restart. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Event } from '../../src/core/index.ts';
import { openMemoryKv } from '../../src/queue/index.ts';
import { openWorld, receiver, RunningClock } from '../unit/egress/sending-world.ts';

const LIMITED = { code: 450, enhanced: '4.7.28', text: 'slow down' } as const;
const settings = {
  strategies: [
    {
      name: 'fast',
      concurrent_connections: 5,
      messages_per_connection: 100,
      rate: '60000/1m',
      adaptive: true,
    },
  ],
  retry_rules: [{ name: 'slow', attempts: 100, type: 'fixed', interval: '1h' }],
  senders: [{ name: 'promo', nodes: [{ node: 'n1' }], retry: 'slow', strategies: { default: 'fast' } }],
};
const names = (count: number): string[] => Array.from({ length: count }, (_, i) => `r${i}@to.test`);

test('the speed falls, an event says why, and it is stored', async (t) => {
  const sink = await receiver(t, { rules: [{ phase: 'rcpt', recipient: 'r*', action: LIMITED }] });
  const kv = openMemoryKv();
  const world = await openWorld(t, { sink, kv, settings, clock: new RunningClock() });
  await world.send(names(20));
  await world.until((events) => events.filter(({ type }) => type === 'soft_bounce').length >= 3);

  const slowed = world.egress.nodes()[0]!.lanes[0]!.slowed!;
  assert.ok(slowed.perSecond < 1000);
  assert.match(slowed.cutReason, /^100 % rate_limited: 450 4\.7\.28 slow down/);
  await world.queue.announce({ type: 'alert', time: 0 }); // after all that was announced before
  const speeds = [...world.queue.state.journal.events(0)].filter(({ type }) => type === 'speed');
  const { node, source_ip, speed, reason }: Event = speeds[0]!;
  assert.deepEqual([node, source_ip, speed!.from], ['n1', '127.0.0.1', null]);
  assert.ok(speed!.to! < 1000);
  assert.match(reason!, /rate_limited/);

  const key = `n1\0${world.egress.nodes()[0]!.lanes[0]!.key}`;
  const mark = world.queue.limitMark(key) as { slowed: { perSecond: number } };
  assert.ok(mark.slowed.perSecond < 1000);
});
