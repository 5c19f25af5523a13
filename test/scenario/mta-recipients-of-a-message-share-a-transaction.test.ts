/** Recipients of one message at one domain: how many go together, whose refusal is whose, and what the speed says. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { Event } from '../../src/core/index.ts';
import type { SinkMessage, SinkOptions } from '../../src/testbed/index.ts';
import { Mta, ofType, oneEndEach, type Settings } from '../support/mta.ts';
import { eventually, gate, mail, receiver, routeTo, submit } from '../support/mta-world.ts';

const people = (count: number): string[] => Array.from({ length: count }, (_, i) => `r${i}@to.test`);
const settings = (strategy: object, sender: object = {}): Settings => ({
  strategies: [{ name: 'own', concurrent_connections: 1, messages_per_connection: 1000, ...strategy }],
  senders: [
    {
      name: 'shop',
      nodes: [{ node: 'n1' }],
      strategies: { default: 'own' },
      return_path: 'shared',
      ...sender,
    },
  ],
});

async function world(
  t: TestContext,
  config: Settings,
  options: SinkOptions = {},
): Promise<{ mta: Mta; taken: SinkMessage[]; send: (to: readonly string[]) => Promise<void> }> {
  const taken: SinkMessage[] = [];
  const sink = await receiver(t, { onMessage: (message) => void taken.push(message), ...options });
  const mta = await Mta.start(t, { routes: [routeTo(sink)], ...config });
  const send = async (to: readonly string[]): Promise<void> => {
    const session = await mta.session();
    const { recipients } = await submit(session, to, mail('all@to.test'));
    assert.ok(recipients.every(({ ok }) => ok));
    await session.quit();
  };
  return { mta, taken, send };
}

const sizes = (taken: readonly SinkMessage[]): number[] => taken.map(({ recipients }) => recipients.length);
const replyOf = (events: readonly Event[], recipient: string): string | undefined =>
  events.find((event) => event.recipient === recipient && event.type !== 'accepted')?.reply?.text;

test('120 recipients of one message are three transactions of at most 50', async (t) => {
  const { mta, taken, send } = await world(t, settings({ max_recipients_per_transaction: 50 }));
  await send(people(120));
  const events = await mta.settled(120);
  assert.deepEqual(sizes(taken), [50, 50, 20]);
  assert.deepEqual(
    taken.flatMap(({ recipients }) => recipients),
    people(120),
  );
  oneEndEach(events);
  await mta.end();
});

test('with a return path for each delivery they go one by one; shared keeps the one that was given', async (t) => {
  const domain = { return_path_domain: 'bounce.shop.test', return_path: 'per_delivery' };
  const { mta, taken, send } = await world(t, settings({}, domain));
  await send(people(3));
  await mta.settled(3);
  assert.deepEqual(sizes(taken), [1, 1, 1]);
  assert.equal(new Set(taken.map(({ from }) => from)).size, 3);
  taken.length = 0;
  mta.configure(settings({}, { ...domain, return_path: 'shared' }));
  assert.equal((await mta.api('/v1/config/reload', { method: 'POST' })).status, 200);
  await send(people(3));
  await mta.settled(6);
  assert.deepEqual(sizes(taken), [3]);
  assert.equal(taken[0]!.from, 'news@shop.test');
  assert.doesNotMatch(taken[0]!.content.toString('latin1'), /Postrider-Delivery/);
  await mta.end();
});

test('each recipient has the reply to its own RCPT, and the others are delivered', async (t) => {
  const { mta, taken, send } = await world(
    t,
    { ...settings({}), retry_rules: [{ name: 'default', attempts: 3, interval: '1s', type: 'fixed' }] },
    {
      rules: [
        {
          phase: 'rcpt',
          recipient: 'r1@to.test',
          action: { code: 550, enhanced: '5.1.1', text: 'nobody here' },
        },
        {
          phase: 'rcpt',
          recipient: 'r3@to.test',
          once: true,
          action: { code: 451, enhanced: '4.7.1', text: 'later' },
        },
      ],
    },
  );
  await send(people(5));
  const events = await mta.settled(5);
  assert.deepEqual(sizes(taken), [3, 1]);
  assert.deepEqual([ofType(events, 'delivered').length, ofType(events, 'hard_bounce').length], [4, 1]);
  assert.equal(ofType(events, 'hard_bounce')[0]!.recipient, 'r1@to.test');
  assert.deepEqual(
    ofType(events, 'soft_bounce').map(({ recipient }) => recipient),
    ['r3@to.test'],
  );
  assert.match(replyOf(events, 'r1@to.test')!, /nobody here/);
  oneEndEach(events);
  await mta.end();
});

test('a refusal of the content is the refusal of all, counts once, and makes nobody a dead address', async (t) => {
  const lock = { name: 'three', scope: 'node_isp', duration: '1h', threshold: '3/1m' };
  const { mta, send } = await world(
    t,
    {
      ...settings({}),
      lock_rules: [lock],
      rules: [{ name: 'own', when: { code: 550 }, then: { lock: 'three', stop_list: true } }],
    },
    { rules: [{ phase: 'content', action: { code: 550, enhanced: '5.1.1', text: 'User unknown' } }] },
  );
  await send(people(5));
  const events = await mta.settled(5);
  assert.equal(ofType(events, 'undelivered').length, 5);
  assert.deepEqual([ofType(events, 'hard_bounce'), ofType(events, 'lock')], [[], []]);
  assert.deepEqual((await mta.api('/v1/stop-list')).body, { entries: [] });
  await mta.end();
});

test('where the speed is limited no more go together than have their turn', async (t) => {
  const { mta, taken, send } = await world(t, settings({ rate: '40/1s', burst: 8 }));
  await send(people(60));
  const events = await mta.settled(60);
  const times = ofType(events, 'delivered').map(({ time }) => Date.parse(time));
  assert.ok(Math.max(...sizes(taken)) <= 8, `${Math.max(...sizes(taken))} recipients at once`);
  assert.ok(Math.max(...sizes(taken)) > 1, 'some go together');
  // 40 tokens in any window, and a first transaction whose tokens were spent before it began.
  for (const start of times) {
    const inside = times.filter((time) => time >= start && time < start + 900).length;
    assert.ok(inside <= 48, `${inside} within 900 ms`);
  }
  await mta.end();
});

test('kill -9 in the middle of a transaction loses nobody', async (t) => {
  const door = await gate(t);
  const mta = await Mta.start(t, {
    routes: [routeTo(door)],
    ...settings({ max_recipients_per_transaction: 10 }),
  });
  const session = await mta.session();
  await submit(session, people(25), mail('all@to.test'));
  await eventually(() => door.held.size === 10, 'the first ten are on their way');
  await mta.kill('SIGKILL');
  door.open();
  await mta.start();
  const events = await mta.settled(25);
  oneEndEach(events);
  assert.equal(ofType(events, 'delivered').length, 25);
  await mta.end();
});
