/** When the next attempt comes: fixed, by a list, until the attempts are used up or the lifetime is over. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import type { Event } from '../../src/core/index.ts';
import type { SinkOptions } from '../../src/testbed/index.ts';
import { Mta, ofType } from '../support/mta.ts';
import { batch, mail, receiver, routeTo, submit } from '../support/mta-world.ts';

const LATER: SinkOptions = {
  rules: [{ phase: 'rcpt', action: { code: 451, enhanced: '4.7.1', text: 'Not now' } }],
};

interface Told {
  readonly events: readonly Event[];
  /** Seconds from each soft bounce to the attempt it announced. */
  readonly waits: readonly number[];
  readonly end: Event;
}

/** One message with a retry rule, until its end. */
async function tell(t: TestContext, rule: object, route: object): Promise<Told> {
  const mta = await Mta.start(t, {
    routes: [route],
    retry_rules: [{ name: 'own', ...rule }],
    senders: [
      {
        name: 'shop',
        nodes: [{ node: 'n1' }],
        strategies: { default: 'unlimited' },
        retry: 'own',
      },
    ],
  });
  const session = await mta.session();
  assert.ok((await submit(session, 'a@to.test', mail('a@to.test'))).recipients[0]?.ok);
  await session.quit();
  await mta.settled(1);
  const events = await mta.end();
  const waits = ofType(events, 'soft_bounce').map(({ time, next_attempt: next }, i, all) => {
    const following = all[i + 1] ?? events.at(-1)!;
    assert.ok(Date.parse(following.time) >= Date.parse(next!), 'no attempt comes before its time');
    return Math.round((Date.parse(next!) - Date.parse(time)) / 100) / 10;
  });
  return { events, waits, end: events.findLast(({ delivery_id: id }) => id !== undefined)! };
}

test('fixed: the same wait each time, until the attempts are used up', async (t) => {
  const sink = await receiver(t, LATER);
  const { waits, end, events } = await tell(
    t,
    { type: 'fixed', interval: '700ms', attempts: 4 },
    routeTo(sink),
  );
  assert.deepEqual(waits, [0.7, 0.7, 0.7]);
  assert.deepEqual([end.type, end.reason, end.attempt], ['undelivered', 'attempts_exhausted', 4]);
  assert.equal(sink.stats().byReply['451 4.7.1 Not now'], 4);
  assert.deepEqual(
    ofType(events, 'soft_bounce').map(({ attempt }) => attempt),
    [1, 2, 3],
  );
});

test('list: each wait in order, the last one again', async (t) => {
  const sink = await receiver(t, LATER);
  const rule = { type: 'list', intervals: ['300ms', '900ms', '500ms'], attempts: 5 };
  const { waits, end } = await tell(t, rule, routeTo(sink));
  assert.deepEqual(waits, [0.3, 0.9, 0.5, 0.5]);
  assert.equal(end.reason, 'attempts_exhausted');
});

test('the lifetime ends what cannot be delivered, while the receiver is out of reach', async (t) => {
  const sink = await receiver(t);
  await sink.close();
  const mta = await Mta.start(t, {
    routes: [routeTo(sink)],
    retry_rules: [{ name: 'own', type: 'fixed', interval: '1s', attempts: 100 }],
    senders: [
      {
        name: 'shop',
        nodes: [{ node: 'n1' }],
        strategies: { default: 'unlimited' },
        retry: 'own',
        lifetime: '3s',
      },
    ],
  });
  await mta.api('/v1/batches', { type: 'application/x-ndjson', body: batch(30) });
  await mta.settled(30, 30_000);
  const events = await mta.end();
  const told = ofType(events, 'undelivered').map(({ reason }) => reason);
  assert.deepEqual(
    told,
    Array.from({ length: 30 }, () => 'lifetime'),
  );
  const accepted = new Map(
    ofType(events, 'accepted').map((event) => [event.delivery_id, Date.parse(event.time)]),
  );
  for (const { delivery_id: id, time } of ofType(events, 'undelivered')) {
    const livedMs = Date.parse(time) - accepted.get(id)!;
    assert.ok(livedMs < 20_000, `it lived ${livedMs} ms`);
  }
  assert.ok(ofType(events, 'soft_bounce').length >= 1);
});

test('a refusal for good ends it at once: hard bounce for a dead address, undelivered for the rest', async (t) => {
  for (const [action, type, reason] of [
    [{ code: 550, enhanced: '5.1.1', text: 'No such user' }, 'hard_bounce', undefined],
    [{ code: 554, enhanced: '5.7.1', text: 'We do not like you' }, 'undelivered', 'refused'],
  ] as const) {
    const sink = await receiver(t, { rules: [{ phase: 'rcpt', action }] });
    const { end, events } = await tell(t, { type: 'fixed', interval: '1s', attempts: 9 }, routeTo(sink));
    assert.deepEqual([end.type, end.reason, end.reply?.code], [type, reason, action.code]);
    assert.equal(ofType(events, 'soft_bounce').length, 0);
  }
});
