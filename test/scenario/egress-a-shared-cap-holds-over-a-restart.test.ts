/** What nodes share is spent from one store: a restart, with the nodes changed about, gives none of it again. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openMemoryKv } from '../../src/queue/index.ts';
import { openWorld, receiver } from '../unit/egress/sending-world.ts';

const isps = [{ name: 'big', domains: ['big.test'] }];
const nodes = ['n1', 'n2'].map((name, i) => ({
  name,
  address: `127.0.0.${i + 1}`,
  hostname: `${name}.test`,
}));
const senders = [
  {
    name: 'promo',
    nodes: [{ node: 'n1' }, { node: 'n2' }],
    retry: 'quick',
    strategies: { default: 'free' },
  },
];

for (const [of, sender] of [
  ['an ISP', undefined],
  ['a sender', 'promo'],
] as const)
  test(`of ${of}`, async (t) => {
    const [kv, sink] = [openMemoryKv(), await receiver(t)];
    const caps = [{ name: 'tight', isp: 'big', rate: '1/1h', ...(sender && { sender }) }];
    const settings = { isps, nodes, senders, caps };
    const first = await openWorld(t, { kv, sink, settings });
    await first.send('a@big.test');
    await first.ended(1);
    await first.stop();
    const second = await openWorld(t, { kv, sink, settings });
    await second.send(['b@big.test', 'c@big.test'], { node: 'n2' });
    await second.send('d@elsewhere.test', { node: 'n2' });
    await second.ended(2);
    const what = { account: '', campaign: '', sender: 'promo' };
    assert.match(
      second.egress.whyWaiting('n2', 'big.test', what)!,
      /^cap tight: next message in (?:3[56]|7[12])\d\d s$/,
      'the one that was reserved may count',
    );
    assert.equal(sink.stats().messages, 2);
  });
