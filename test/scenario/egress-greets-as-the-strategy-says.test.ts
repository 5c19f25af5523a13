import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openWorld, receiver } from '../unit/egress/sending-world.ts';

test('the EHLO name is that of the node, the From domain, or the address', async (t) => {
  for (const [helo, expected] of [
    ['hostname', 'n1.test'],
    ['from_domain', 'shop.test'],
    ['address', '[127.0.0.1]'],
  ] as const) {
    const sink = await receiver(t);
    const strategies = [{ name: 'free', concurrent_connections: 1, messages_per_connection: 10, helo }];
    const world = await openWorld(t, { sink, settings: { strategies } });
    await world.send('a@to.test', { fromDomain: 'shop.test' });
    await world.ended(1);
    assert.equal(sink.messages[0]!.helo, expected);
  }
});
