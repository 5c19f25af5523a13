/** What was begun by the old settings does not go on by them when it ends after a reload. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openMemoryKv } from '../../src/queue/index.ts';
import { eventually } from '../support/mta-world.ts';
import { type ScriptedPeer, startPeer } from '../support/scripted-peer.ts';
import type { Settings } from '../unit/egress/configured.ts';
import { hostOf, openWorld, receiver, routeTo } from '../unit/egress/sending-world.ts';

const routed = ({ port }: ScriptedPeer, tls: string): Settings => ({
  routes: [{ domain: '*', hosts: [`127.0.0.1:${port}`], tls }],
});

test('a session that was being opened in clear carries nothing when TLS is required meanwhile', async (t) => {
  const peer = await startPeer({
    greeting: (_, count) => (count === 1 ? [] : '220 mx.test ESMTP'),
    EHLO: '250-mx.test\r\n250 STARTTLS',
  });
  t.after(() => peer.close());
  const world = await openWorld(t, { settings: routed(peer, 'none') });
  await world.send('a@to.test');
  await eventually(() => peer.links.length === 1, 'a session is being opened');
  await world.configure(routed(peer, 'require'));
  peer.links[0]!.say('220 mx.test ESMTP');
  await world.ended(1);
  assert.deepEqual(world.story('a@to.test'), ['delivered 250']);
  assert.ok(world.events().at(-1)!.tls, 'it was encrypted');
});

test('what was being leased goes by the new route, also when its hosts are the same', async (t) => {
  const peer = await startPeer({ EHLO: '250-mx.test\r\n250 STARTTLS' });
  t.after(() => peer.close());
  const kv = openMemoryKv();
  const commit = kv.commit.bind(kv);
  const [leasing, stored] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  kv.commit = async (ops) => {
    if (ops.some(({ table }) => table === 'leases')) {
      leasing.resolve();
      await stored.promise;
    }
    await commit(ops);
  };
  const world = await openWorld(t, { kv, settings: routed(peer, 'none') });
  await world.send('a@to.test');
  await leasing.promise;
  const configured = world.configure(routed(peer, 'require'));
  stored.resolve();
  await configured;
  await world.ended(1);
  assert.ok(world.events().at(-1)!.tls, 'it was encrypted');
});

for (const [answer, zones] of [
  ['hosts', { 'to.test': { MX: [[10, 'mx.to.test']] }, 'mx.to.test': { A: ['127.0.0.1'] } }],
  ['that the domain does not exist', {}],
] as const)
  test(`a look-up that says ${answer} after a reload does not overrule the new route`, async (t) => {
    const sink = await receiver(t);
    const world = await openWorld(t, { zones, settings: { egress: { port: 9 } } });
    const answers = world.dns.hold();
    await world.send('a@to.test');
    await answers.asked;
    await world.configure({ routes: [routeTo(sink)] });
    answers.give();
    await world.ended(1);
    assert.deepEqual(world.story('a@to.test'), ['delivered 250']);
    assert.equal(world.events().at(-1)!.mx_ip, hostOf(sink));
  });
