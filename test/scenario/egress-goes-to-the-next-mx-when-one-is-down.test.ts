import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startSink, type Sink, type ZoneEntry } from '../../src/testbed/index.ts';
import { hostOf, loopback, openWorld, receiver } from '../unit/egress/sending-world.ts';

/** Nobody listens on the addresses of no sink. */
function zonesFor(...hosts: readonly (string | Sink)[]): Record<string, ZoneEntry> {
  const zones: Record<string, ZoneEntry> = {
    'to.test': { MX: hosts.map((_, i) => [10 * (i + 1), `mx${i}.to.test`] as const) },
  };
  for (const [i, host] of hosts.entries())
    zones[`mx${i}.to.test`] = { A: [typeof host === 'string' ? host : hostOf(host)] };
  return zones;
}

test('one is down: the next one takes it, and no attempt was lost', async (t) => {
  const sink = await receiver(t);
  const world = await openWorld(t, {
    zones: zonesFor(loopback(), sink),
    settings: { egress: { port: sink.port } },
  });
  await world.send('a@to.test');
  await world.ended(1);
  assert.deepEqual(world.story('a@to.test'), ['delivered 250']);
  assert.equal(world.events().at(-1)!.mx, 'mx1.to.test');
});

test('one greets with 421 or 554: the next one', async (t) => {
  for (const code of [421, 554]) {
    const text = 'go away';
    const busy = await receiver(t, {
      rules: [{ phase: 'greeting', action: { code, enhanced: undefined, text } }],
    });
    const sink = await receiver(t, {}, busy.port);
    const world = await openWorld(t, {
      zones: zonesFor(busy, sink),
      settings: { egress: { port: sink.port } },
    });
    await world.send('a@to.test');
    await world.ended(1);
    assert.deepEqual(world.story('a@to.test'), ['delivered 250']);
    assert.equal(sink.stats().messages, 1);
  }
});

test('all are down: one bears the refusal, the others wait unharmed, and all arrive when a host is back', async (t) => {
  const place = await receiver(t);
  const { port } = place;
  const host = hostOf(place);
  await place.close();
  const retry_rules = [{ name: 'quick', attempts: 100, type: 'fixed', interval: '100ms' }];
  const world = await openWorld(t, {
    zones: zonesFor(loopback(), host),
    settings: { retry_rules, egress: { port, timeouts: { idle: '200ms' } } },
  });
  const recipients = ['a', 'b', 'c', 'd', 'e', 'f'].map((name) => `${name}@to.test`);
  await world.send(recipients);
  await world.until((events) => events.some(({ type }) => type === 'soft_bounce'));
  assert.match(
    world.egress.whyWaiting('n1', 'to.test')!,
    /next connection in \d+ s, after: mx\d\.to\.test \[.*ECONNREFUSED/,
  );
  const sink = await startSink({ listen: [{ host, port }] });
  t.after(() => sink.close());
  await world.ended(6);
  const stories = recipients.map((recipient) => world.story(recipient).join(', '));
  assert.ok(stories.every((story) => story.endsWith('delivered 250')));
  // One for each rest that was over before the host was back: 1 s, 2 s, ... on a machine that busy.
  const bounces = world.events().filter(({ type }) => type === 'soft_bounce').length;
  assert.ok(bounces >= 1 && bounces <= 3, `${bounces} bore the refusal`);
});

test('an IPv4 node does not use the IPv6 addresses of a host', async (t) => {
  const sink = await receiver(t);
  const zones = zonesFor(sink);
  zones['mx0.to.test'] = { AAAA: ['::1'] };
  zones['v6.test'] = { MX: [[10, 'mx0.to.test']] };
  const retry_rules = [{ name: 'quick', attempts: 1 }];
  const world = await openWorld(t, { zones, settings: { retry_rules, egress: { port: sink.port } } });
  await world.send('a@v6.test');
  await world.ended(1);
  assert.deepEqual(world.story('a@v6.test'), ['undelivered attempts_exhausted']);
  assert.match(
    world.events().at(-1)!.reply!.text,
    /no address of mx0\.to\.test can be reached from 127\.0\.0\.1/,
  );
  assert.equal(sink.stats().connections, 0);
});
