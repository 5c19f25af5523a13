import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SinkRule } from '../../src/testbed/index.ts';
import { startPeer } from '../support/scripted-peer.ts';
import { openWorld, receiver } from '../unit/egress/sending-world.ts';

const reply = (code: number, enhanced?: string): SinkRule['action'] => ({ code, enhanced, text: 'because' });

test('one refusal by each step: retried, refused, or hard', async (t) => {
  const sink = await receiver(t, {
    rules: [
      { phase: 'rcpt', recipient: 'grey@*', once: true, action: reply(450, '4.2.0') },
      { phase: 'rcpt', recipient: 'gone@*', action: reply(550, '5.1.1') },
      { phase: 'rcpt', recipient: 'policy@*', action: reply(550, '5.7.1') },
      { phase: 'rcpt', recipient: 'plain@*', action: reply(550) },
      { phase: 'content', recipient: 'spam@*', action: reply(554, '5.7.1') },
      { phase: 'content', recipient: 'lost@*', once: true, action: 'disconnect' },
      { phase: 'data', recipient: 'data@*', once: true, action: reply(451) },
    ],
  });
  const world = await openWorld(t, { sink });
  const names = ['good', 'grey', 'gone', 'policy', 'plain', 'spam', 'lost', 'data'];
  for (const name of names) await world.send(`${name}@to.test`);
  await world.ended(names.length);
  assert.deepEqual(Object.fromEntries(names.map((name) => [name, world.story(`${name}@to.test`)])), {
    good: ['delivered 250'],
    grey: ['soft_bounce 450', 'delivered 250'],
    gone: ['hard_bounce 550'],
    policy: ['undelivered refused'],
    plain: ['undelivered refused'],
    spam: ['undelivered refused'],
    lost: ['soft_bounce', 'delivered 250'],
    data: ['soft_bounce 451', 'delivered 250'],
  });
});

test('the attempts of the retry rule, not one more', async (t) => {
  const sink = await receiver(t, { rules: [{ phase: 'rcpt', action: reply(450) }] });
  const retry_rules = [{ name: 'quick', attempts: 3, type: 'fixed', interval: '5ms' }];
  const world = await openWorld(t, { sink, settings: { retry_rules } });
  await world.send('a@to.test');
  await world.ended(1);
  assert.deepEqual(world.story('a@to.test'), [
    'soft_bounce 450',
    'soft_bounce 450',
    'undelivered attempts_exhausted',
  ]);
  assert.deepEqual(
    world.events().map(({ attempt }) => attempt),
    [undefined, 1, 2, 3],
  );
});

test('no attempt is put off beyond the lifetime', async (t) => {
  const sink = await receiver(t, { rules: [{ phase: 'rcpt', action: reply(450) }] });
  const retry_rules = [{ name: 'quick', attempts: 10, type: 'fixed', interval: '2h' }];
  const world = await openWorld(t, { sink, settings: { retry_rules } });
  await world.send('a@to.test', { expiresAt: Date.now() + 3_600_000 });
  await world.ended(1);
  assert.deepEqual(world.story('a@to.test'), ['undelivered lifetime']);
});

for (const phase of ['MAIL', 'RCPT', 'DATA', 'content']) {
  test(`421 to ${phase} ends the session; the delivery comes again in another one`, async (t) => {
    const peer = await startPeer({
      [phase]: (_, count) => (count === 1 ? '421 4.3.2 not now' : phase === 'DATA' ? '354 go on' : '250 ok'),
    });
    t.after(() => peer.close());
    const routes = [{ domain: '*', hosts: [`127.0.0.1:${peer.port}`], tls: 'none' }];
    const world = await openWorld(t, { settings: { routes } });
    await world.send('a@to.test');
    await world.ended(1);
    assert.deepEqual(world.story('a@to.test'), ['soft_bounce 421', 'delivered 250']);
    assert.equal(peer.links.length, 2);
    await peer.until(() => peer.links[0]!.closed);
    assert.equal(peer.messages.length, phase === 'content' ? 2 : 1);
  });
}

test('a refused recipient does not cost the session', async (t) => {
  const sink = await receiver(t, { unknownUsers: ['x*@to.test'] });
  const strategies = [{ name: 'free', concurrent_connections: 1, messages_per_connection: 100 }];
  const world = await openWorld(t, { sink, settings: { strategies } });
  await world.send(['a@to.test', 'x1@to.test', 'b@to.test', 'x2@to.test', 'c@to.test']);
  await world.ended(5);
  assert.equal(sink.stats().connections, 1);
  assert.equal(sink.stats().messages, 3);
});

test('messages_per_connection ends a session, mail goes on in the next one', async (t) => {
  const sink = await receiver(t);
  const strategies = [{ name: 'free', concurrent_connections: 1, messages_per_connection: 3 }];
  const world = await openWorld(t, { sink, settings: { strategies } });
  await world.send(Array.from({ length: 10 }, (_, i) => `r${i}@to.test`));
  await world.ended(10);
  assert.equal(sink.stats().connections, 4);
});
