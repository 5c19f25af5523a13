/** A node whose address is not on this machine sends nothing and says so; its mail waits, new mail goes elsewhere. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Mta, ofType } from '../support/mta.ts';
import { batch, receiver, routeTo } from '../support/mta-world.ts';

/** TEST-NET-1 (RFC 5737): on no machine. */
const ABSENT = '192.0.2.10';
const node = (name: string, address: string): object => ({ name, address, hostname: `${name}.test` });
const sender = (...nodes: readonly string[]): object => ({
  name: 'shop',
  nodes: nodes.map((name) => ({ node: name })),
  strategies: { default: 'unlimited' },
});
const post = (mta: Mta, count: number): ReturnType<Mta['api']> =>
  mta.api('/v1/batches', { type: 'application/x-ndjson', body: batch(count) });

test('all mail goes to the nodes that are up', async (t) => {
  const sink = await receiver(t);
  const mta = await Mta.start(t, {
    routes: [routeTo(sink)],
    nodes: [node('gone', ABSENT), node('n1', '127.0.0.2'), node('n2', '127.0.0.3')],
    senders: [sender('gone', 'n1', 'n2')],
  });
  const down = await mta.heard(
    (line) => line.level >= 50 && line.msg.includes(`${ABSENT} is not on this machine`),
  );
  assert.ok(down, mta.stderr);
  const { ready, nodes } = await mta.status();
  assert.deepEqual(
    nodes.map(({ name, state }) => [name, state]),
    [
      ['gone', 'down'],
      ['n1', 'running'],
      ['n2', 'running'],
    ],
  );
  assert.equal(ready, true);
  await post(mta, 40);
  await mta.settled(40);
  await mta.end();
  assert.deepEqual(sink.stats().byPeerAddress, { '127.0.0.2': 20, '127.0.0.3': 20 });
});

test('mail of a sender without any other node is accepted, waits, and leaves when the address is right', async (t) => {
  const sink = await receiver(t);
  const mta = await Mta.start(t, {
    routes: [routeTo(sink)],
    nodes: [node('gone', ABSENT)],
    senders: [sender('gone')],
  });
  await post(mta, 5);
  const { ready, not_ready: reasons, queue } = await mta.status();
  assert.deepEqual([ready, queue.new, queue.proc], [false, 5, 0]);
  assert.match(reasons.join(), /node gone is down: 192\.0\.2\.10 is not on this machine/);
  const waiting = await mta.api('/v1/deliveries?state=new');
  assert.match(waiting.text, /node gone is down/);
  mta.configure({ nodes: [node('gone', '127.0.0.4')] });
  assert.equal((await mta.api('/v1/config/reload', { body: '{}' })).status, 200);
  await mta.settled(5);
  const events = await mta.end();
  assert.deepEqual(sink.stats().byPeerAddress, { '127.0.0.4': 5 });
  assert.equal(ofType(events, 'soft_bounce').length, 0, 'waiting is no attempt');
});
