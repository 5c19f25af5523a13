/**
 * The wake invariant: nothing that is queued waits for something that nobody will do, whatever receivers, limits,
 * reloads, restarts and a wall clock that is set did to it. A delivery that is forgotten fails the test by its deadline.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { TERMINAL } from '../../src/core/index.ts';
import { openMemoryKv } from '../../src/queue/index.ts';
import type { SinkRule, ZoneEntry } from '../../src/testbed/index.ts';
import { openWorld, receiver, RunningClock, type World } from '../unit/egress/sending-world.ts';

const HOUR = 3_600_000;

const later = (code: number): SinkRule['action'] => ({ code, enhanced: '4.2.0', text: 'later' });

/** Misbehaviour that passes: all mail arrives in the end. */
const trouble = (share: number): SinkRule[] => [
  { phase: 'mail', share, action: later(421) },
  { phase: 'rcpt', share, action: later(450) },
  { phase: 'rcpt', share: share / 2, action: 'disconnect' },
  { phase: 'content', share, action: later(451) },
  { phase: 'data', share: share / 2, action: later(421) },
];

const setting = fc.record({
  share: fc.constantFrom(0, 0.05, 0.2),
  connections: fc.integer({ min: 1, max: 4 }),
  perConnection: fc.integer({ min: 1, max: 6 }),
  maxSessions: fc.integer({ min: 1, max: 4 }),
  allSessions: fc.integer({ min: 1, max: 5 }),
  rate: fc.constantFrom(undefined, '1000/1s', '300/500ms'),
  cap: fc.constantFrom(undefined, undefined, { rate: '200/1s' }, { rate: '300/1s', sender: 'promo' }),
  domains: fc.integer({ min: 1, max: 6 }),
  messages: fc.integer({ min: 1, max: 25 }),
  recipients: fc.integer({ min: 1, max: 4 }),
  reload: fc.boolean(),
});

type Setting = typeof setting extends fc.Arbitrary<infer T> ? T : never;

const settingsOf = (
  one: Omit<Setting, 'cap'> & { readonly cap: object | undefined },
): Record<string, unknown> => ({
  egress: { max_sessions: one.allSessions, timeouts: { idle: '200ms' } },
  nodes: [
    { name: 'n1', address: '127.0.0.1', hostname: 'n1.test', max_sessions: one.maxSessions },
    { name: 'n2', address: '127.0.0.2', hostname: 'n2.test', max_sessions: one.maxSessions },
  ],
  retry_rules: [
    { name: 'quick', attempts: 1000, type: 'random', interval: '1ms', modifier: 20, mode: 'sender_nodes' },
  ],
  strategies: [
    {
      name: 'some',
      concurrent_connections: one.connections,
      messages_per_connection: one.perConnection,
      ...(one.rate && { rate: one.rate }),
    },
  ],
  senders: [
    {
      name: 'promo',
      nodes: [{ node: 'n1' }, { node: 'n2' }],
      retry: 'quick',
      strategies: { default: 'some' },
    },
  ],
  isps: [{ name: 'big', domains: ['d0.test', 'd1.test'] }],
  caps: one.cap ? [{ name: 'cap', isp: 'big', ...one.cap }] : [],
});

async function inject(world: World, messages: number, to: readonly string[]): Promise<void> {
  for (let i = 0; i < messages; i++) {
    const recipients = to.map((domain, r) => `m${i}r${r}@${domain}`);
    await world.send(recipients, { node: i % 2 === 0 ? 'n1' : 'n2', wakeAt: Date.now() + (i % 3) * 5 });
  }
}

test('random refusals, losses, limits and reloads', async (t) => {
  await fc.assert(
    fc.asyncProperty(setting, async (one) => {
      await t.test(JSON.stringify(one), async (sub) => {
        const sinks = [
          await receiver(sub, { rules: trouble(one.share) }),
          await receiver(sub, { rules: trouble(one.share) }),
        ];
        const route = (i: number, domain: string): object => ({
          domain,
          hosts: [`${sinks[i]!.addresses[0]!.address}:${sinks[i]!.port}`],
          tls: 'none',
        });
        const routes = [route(0, 'd0.test'), route(1, '*')];
        const world = await openWorld(sub, { settings: { ...settingsOf(one), routes } });
        const domains = Array.from({ length: one.recipients }, (_, i) => `d${i % one.domains}.test`);
        const injecting = inject(world, one.messages, domains);
        if (one.reload) {
          const changed = one.cap ? { ...one, cap: undefined } : { ...one, cap: { rate: '500/1s' } };
          await world.configure({ ...settingsOf(changed), routes: [...routes].reverse() });
        }
        await injecting;
        await world.ended(one.messages * one.recipients);
        assert.ok(world.events().every(({ type }) => type !== 'undelivered' && type !== 'hard_bounce'));
      });
    }),
    { numRuns: 12, endOnFailure: true },
  );
});

const lifeStep = fc.oneof(
  {
    arbitrary: fc.record({ kind: fc.constant('send' as const), messages: fc.integer({ min: 1, max: 6 }) }),
    weight: 2,
  },
  // By less than counts as a step, and by hours; lifetimes are longer than all of them together.
  fc.record({
    kind: fc.constant('set clock' as const),
    ms: fc.constantFrom(-400, -50, 400, HOUR),
    seen: fc.boolean(),
  }),
  fc.record({
    kind: fc.constant('set clock' as const),
    ms: fc.integer({ min: -3 * HOUR, max: -HOUR }),
    seen: fc.boolean(),
  }),
  fc.record({ kind: fc.constant('restart' as const) }),
  fc.record({ kind: fc.constant('reload' as const) }),
);

/** That windows keep their limits over all this is shown in virtual time: test/unit/egress/limiter.test.ts. */
test('random strategies, restarts and clocks', async (t) => {
  const life = fc.array(lifeStep, { minLength: 3, maxLength: 8 });
  await fc.assert(
    fc.asyncProperty(setting, life, async (one, steps) => {
      await t.test(JSON.stringify({ ...one, steps }), async (sub) => {
        const sink = await receiver(sub, { rules: trouble(one.share) });
        const [clock, kv, settings] = [new RunningClock(), openMemoryKv(), settingsOf(one)];
        const open = async (): Promise<World> => {
          const opened = await openWorld(sub, { sink, clock, kv, settings });
          opened.queue.operations.start();
          return opened;
        };
        let world = await open();
        let sent = 0;
        for (const step of steps) {
          if (step.kind === 'set clock') {
            clock.step(step.ms);
            if (step.seen) await world.queue.lookAtClock(); // the running program looks each second
          } else if (step.kind === 'reload') await world.configure(settings);
          else if (step.kind === 'send') {
            const to = Array.from({ length: step.messages }, () => `r${sent++}@d${sent % one.domains}.test`);
            await world.send(to, { node: sent % 2 === 0 ? 'n1' : 'n2' });
          } else {
            await world.stop();
            world = await open();
          }
        }
        await world.queue.lookAtClock();
        await world.ended(sent);
        const ended = world.events().filter(({ type }) => TERMINAL.has(type));
        assert.ok(ended.every(({ type }) => type === 'delivered'));
        assert.equal(
          new Set(ended.map(({ delivery_id: id }) => id)).size,
          sent,
          'none lost, none ended twice',
        );
        assert.equal(ended.length, sent);
      });
    }),
    { numRuns: 12, endOnFailure: true },
  );
});

test('a wall clock that is set back while mail is being leased', async (t) => {
  const sink = await receiver(t);
  const clock = new RunningClock();
  const world = await openWorld(t, { sink, clock });
  for (let round = 1; round <= 30; round++) {
    await world.send([`a@d${round}.test`, `b@d${round}.test`]);
    clock.step(-20);
    await world.ended(2 * round);
  }
});

test('more destinations than the node may have sessions', async (t) => {
  const sinks = await Promise.all(Array.from({ length: 6 }, () => receiver(t)));
  const routes = sinks.map((sink, i) => ({
    domain: `d${i}.test`,
    hosts: [`${sink.addresses[0]!.address}:${sink.port}`],
    tls: 'none',
  }));
  const nodes = [{ name: 'n1', address: '127.0.0.1', hostname: 'n1.test', max_sessions: 1 }];
  // The longest wait of a test, so that nobody gets a place because a session was idle for long enough.
  const egress = { timeouts: { idle: '1h' } };
  const world = await openWorld(t, { settings: { routes, nodes, egress } });
  await Promise.all(sinks.map((_, i) => world.send(`a@d${i}.test`)));
  await world.ended(6);
  assert.ok(sinks.every((sink) => sink.stats().messages === 1));
});

test('mail that is due soon does not wait for mail that is due later', async (t) => {
  const sink = await receiver(t);
  const world = await openWorld(t, { sink });
  await world.send('later@to.test', { wakeAt: Date.now() + 3_600_000 });
  await world.send('soon@to.test', { wakeAt: Date.now() + 50 });
  await world.ended(1);
  assert.deepEqual(world.story('soon@to.test'), ['delivered 250']);
});

test('two domains with the same hosts and different times to live', async (t) => {
  const sink = await receiver(t);
  const host = { A: [sink.addresses[0]!.address], ttl: 300 };
  const zones = {
    'short.test': { MX: [[10, 'mx.test']] as const, ttl: 5 },
    'long.test': { MX: [[10, 'mx.test']] as const, ttl: 300 },
    'mx.test': host,
  };
  const clock = new RunningClock();
  const world = await openWorld(t, { zones, clock, settings: { egress: { port: sink.port } } });
  for (let round = 0; round < 4; round++) {
    await world.send(['a@short.test', 'a@long.test', 'b@long.test'].map((to) => `${round}${to}`));
    await world.ended(3 * (round + 1));
    clock.advance(10_000);
  }
  assert.equal(world.dns.count('MX long.test'), 1);
  assert.equal(world.dns.count('MX short.test'), 4);
});

test('what is known of hosts gets old by the time that passes, whatever the wall clock is set to', async (t) => {
  const sink = await receiver(t);
  const zones: Record<string, ZoneEntry> = {
    'known.test': { MX: [[10, 'mx.test']], ttl: 300 },
    'mx.test': { A: [sink.addresses[0]!.address], ttl: 300 },
  };
  const clock = new RunningClock();
  const world = await openWorld(t, { zones, clock, settings: { egress: { port: sink.port } } });
  world.queue.operations.start();
  await world.send('a@known.test');
  await world.ended(1);
  let sent = 1;
  for (const stepMs of [-5 * HOUR, 9 * HOUR, -2 * HOUR]) {
    clock.step(stepMs);
    await world.queue.lookAtClock();
    await world.send('b@known.test');
    await world.ended(++sent);
    assert.equal(world.dns.count('MX known.test'), 1, 'it is fresh');
  }
  clock.step(-5 * HOUR);
  clock.advance(301_000);
  await world.send('c@known.test');
  await world.ended(++sent);
  assert.equal(
    world.dns.count('MX known.test'),
    2,
    'its time is over, though the wall clock is hours behind',
  );

  // Nobody knows the host: what is said of that is forgotten after two seconds.
  zones['late.test'] = { rcode: 'SERVFAIL' };
  await world.send('d@late.test');
  await world.until((events) => events.some(({ type }) => type === 'soft_bounce'), 'a first try');
  clock.step(-5 * HOUR);
  await world.queue.lookAtClock();
  zones['late.test'] = { MX: [[10, 'mx.test']], ttl: 300 };
  await world.ended(sent + 1);
});

test('a faster rate is in force when the reload is', async (t) => {
  const sink = await receiver(t);
  const rate = (rate: string) => ({ strategies: [{ name: 'free', rate, concurrent_connections: 1 }] });
  const world = await openWorld(t, { sink, settings: rate('1/1h') });
  await world.send(Array.from({ length: 20 }, (_, i) => `r${i}@to.test`));
  await world.ended(1);
  await world.configure(rate('36000/1h'));
  await world.ended(20);
});

test('a faster strategy is in force when the reload is: no timer has to run for it', async (t) => {
  const sink = await receiver(t);
  const slow = { name: 'free', rate: '1/1h', concurrent_connections: 1 };
  const world = await openWorld(t, { sink, settings: { strategies: [slow] } });
  await world.send(Array.from({ length: 20 }, (_, i) => `r${i}@to.test`));
  await world.ended(1);
  t.mock.timers.enable({ apis: ['setTimeout', 'setInterval'] });
  await world.configure({ strategies: [{ name: 'free', concurrent_connections: 5 }] });
  assert.ok(await sink.until(({ recipients }) => recipients === 20));
  // Outcomes that nobody waits for do have a timer, in the store.
  t.mock.timers.tick(10);
  t.mock.timers.reset();
  await world.ended(20);
});
