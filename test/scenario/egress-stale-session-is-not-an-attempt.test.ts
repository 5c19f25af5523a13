import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { type Script, type ScriptedPeer, startPeer } from '../support/scripted-peer.ts';
import { openWorld, type World } from '../unit/egress/sending-world.ts';

async function worldWith(t: TestContext, script: Script): Promise<{ world: World; peer: ScriptedPeer }> {
  const peer = await startPeer(script);
  t.after(() => peer.close());
  const settings = {
    routes: [{ domain: '*', hosts: [`127.0.0.1:${peer.port}`], tls: 'none' }],
    strategies: [{ name: 'free', concurrent_connections: 1, messages_per_connection: 100 }],
    egress: { timeouts: { idle: '1h' } },
  };
  return { world: await openWorld(t, { settings }), peer };
}

const CLOSE = [{ act: 'close' }] as const;

test('a session that was used before dies at MAIL: the delivery goes over a new one, at its first attempt', async (t) => {
  const { world, peer } = await worldWith(t, { MAIL: (_, count) => (count === 2 ? CLOSE : '250 ok') });
  await world.send('a@to.test');
  await world.ended(1);
  await world.send('b@to.test');
  await world.ended(2);
  assert.deepEqual(world.story('b@to.test'), ['delivered 250']);
  assert.equal(world.events().at(-1)!.attempt, 1);
  assert.equal(peer.links.length, 2);
});

test('a fresh session that dies at MAIL is an attempt', async (t) => {
  const { world } = await worldWith(t, { MAIL: (_, count) => (count === 1 ? CLOSE : '250 ok') });
  await world.send('a@to.test');
  await world.ended(1);
  assert.deepEqual(world.story('a@to.test'), ['soft_bounce', 'delivered 250']);
});

test('what was said about the delivery is an attempt, also in a session that was used before', async (t) => {
  const { world } = await worldWith(t, { RCPT: (_, count) => (count === 2 ? CLOSE : '250 ok') });
  await world.send(['a@to.test', 'b@to.test']);
  await world.ended(2);
  assert.deepEqual(world.story('b@to.test'), ['soft_bounce', 'delivered 250']);
});

test('a session that dies when it had all of the message is an attempt: the peer may have taken it', async (t) => {
  const { world } = await worldWith(t, {
    EHLO: '250-mx.test\r\n250-PIPELINING\r\n250 CHUNKING',
    MAIL: (_, count) => (count === 2 ? [] : '250 ok'),
    RCPT: (_, count) => (count === 2 ? [] : '250 ok'),
    BDAT: (_, count) => (count === 2 ? CLOSE : '250 queued'),
  });
  await world.send('a@to.test');
  await world.ended(1);
  await world.send('b@to.test');
  await world.ended(2);
  assert.deepEqual(world.story('b@to.test'), ['soft_bounce', 'delivered 250']);
});

test('an idle session that the peer ends with 421 is forgotten; the next delivery opens another one', async (t) => {
  const { world, peer } = await worldWith(t, {});
  await world.send('a@to.test');
  await world.ended(1);
  peer.links[0]!.say('421 4.4.2 idle for too long');
  peer.links[0]!.end('close');
  await peer.until(() => peer.links[0]!.closed);
  await world.send('b@to.test');
  await world.ended(2);
  assert.deepEqual(world.story('b@to.test'), ['delivered 250']);
});

test('stale again and again: each reused session costs no attempt, and nothing is lost', async (t) => {
  const { world, peer } = await worldWith(t, { MAIL: (_, count) => (count % 2 === 0 ? CLOSE : '250 ok') });
  const recipients = Array.from({ length: 8 }, (_, i) => `r${i}@to.test`);
  await world.send(recipients);
  await world.ended(8);
  for (const recipient of recipients) assert.deepEqual(world.story(recipient), ['delivered 250']);
  assert.equal(peer.links.length, 8);
});
