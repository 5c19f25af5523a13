import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hostOf, openWorld, receiver, RunningClock } from '../unit/egress/sending-world.ts';

const names = (count: number, domain: string): string[] =>
  Array.from({ length: count }, (_, i) => `r${i}@${domain}`);

test('a domain that does not exist ends everything that is due, and nothing that is not', async (t) => {
  const world = await openWorld(t, { zones: {} });
  await world.send('later@gone.test', { wakeAt: Date.now() + 3_600_000 });
  await world.send(names(250, 'gone.test'));
  await world.ended(250);
  assert.deepEqual(world.story('r249@gone.test'), ['hard_bounce 550']);
  assert.deepEqual(world.story('later@gone.test'), []);
  const { reply, bounce, isp, source_ip } = world.events().at(-1)!;
  assert.deepEqual(
    [reply?.enhanced, bounce, isp, source_ip],
    [
      '5.1.2',
      { class: 'hard', category: 'bad_domain', pattern: 'domain-unknown', rule: 'unknown-user' },
      'unresolved',
      '127.0.0.1',
    ],
  );
  assert.equal(world.dns.count('MX gone.test'), 1);
});

test('a domain that accepts no mail (null MX) is dead at once', async (t) => {
  const world = await openWorld(t, { zones: { 'null.test': { MX: [[0, '.']] } } });
  await world.send('a@null.test');
  await world.ended(1);
  assert.deepEqual(world.story('a@null.test'), ['hard_bounce 550']);
  assert.equal(world.events().at(-1)!.reply!.enhanced, '5.1.10');
});

test('a DNS that does not answer: tried again by the retry rule, delivered when it does', async (t) => {
  const sink = await receiver(t);
  const clock = new RunningClock();
  const zones = { 'to.test': { behaviour: 'drop' as const } };
  const retry_rules = [{ name: 'quick', attempts: 1000, type: 'fixed', interval: '20ms' }];
  const world = await openWorld(t, { zones, clock, settings: { retry_rules, egress: { port: sink.port } } });
  await world.send(names(3, 'to.test'));
  await world.until((events) => events.filter(({ type }) => type === 'soft_bounce').length >= 3);
  assert.equal(world.events().at(-1)!.bounce!.category, 'dns');
  Object.assign(world.zones, {
    'to.test': { MX: [[10, 'mx.to.test']] },
    'mx.to.test': { A: [hostOf(sink)] },
  });
  clock.advance(3_000); // failures are remembered for two seconds
  await world.ended(3);
  assert.equal(sink.stats().distinctRecipients, 3);
});

test('a domain that moves: mail that is queued then goes to its new hosts', async (t) => {
  const before = await receiver(t);
  const second = await receiver(t, {}, before.port);
  const clock = new RunningClock();
  const zones = {
    'to.test': { MX: [[10, 'old.test']] as [number, string][], ttl: 60 },
    'old.test': { A: [hostOf(before)], ttl: 60 },
    'new.test': { A: [hostOf(second)], ttl: 60 },
  };
  const world = await openWorld(t, { zones, clock, settings: { egress: { port: before.port } } });
  await world.send(names(3, 'to.test'));
  await world.ended(3);
  zones['to.test'].MX = [[10, 'new.test']];
  clock.advance(61_000);
  await world.send(['x@to.test', 'y@to.test']);
  await world.ended(5);
  assert.equal(before.stats().messages, 3);
  assert.equal(second.stats().messages, 2);
});
