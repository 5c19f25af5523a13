/** The journal over GET /v1/events: whole, in order, to any number of readers, and on where a reader stopped. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ends, Mta, ofType } from '../support/mta.ts';
import { batch, FROM, mail, receiver, routeTo, submit } from '../support/mta-world.ts';

test('readers that follow see all that comes, once and in order, with everything that is known', async (t) => {
  const sink = await receiver(t, {
    unknownUsers: ['r7@*'],
    rules: [
      {
        phase: 'rcpt',
        recipient: 'r8@*',
        once: true,
        action: { code: 450, enhanced: '4.2.1', text: 'Busy' },
      },
    ],
  });
  const mta = await Mta.start(t, {
    routes: [routeTo(sink)],
    retry_rules: [{ name: 'soon', type: 'fixed', interval: '300ms', attempts: 5 }],
    senders: [{ name: 'shop', nodes: [{ node: 'n1' }], strategies: { default: 'unlimited' }, retry: 'soon' }],
  });
  const readers = Promise.all([
    mta.settled(21),
    mta.settled(21),
    mta.until((events) => ends(events).length === 21),
  ]);
  const session = await mta.session();
  const labels = [
    'X-Postrider-Campaign: orders',
    'X-Postrider-Account: acme',
    'X-Postrider-Metadata: {"order":5}',
  ];
  assert.ok((await submit(session, 'one@to.test', mail('one@to.test', labels))).recipients[0]?.ok);
  await session.quit();
  await mta.api('/v1/batches', { type: 'application/x-ndjson', body: batch(20) });
  const [first, second, third] = await readers;
  assert.deepEqual([second, third], [first, first]);

  const [order] = await mta.events('campaign_id=orders&type=delivered');
  const { seq, id, time, delivery_id, message_id, queue_ms, size, ...rest } = order!;
  assert.deepEqual(rest, {
    type: 'delivered',
    campaign_id: 'orders',
    account_id: 'acme',
    sender: 'shop',
    node: 'n1',
    source_ip: '127.0.0.2',
    isp: 'other',
    mx: '127.0.0.1',
    mx_ip: '127.0.0.1',
    recipient: 'one@to.test',
    from_domain: FROM.split('@')[1],
    attempt: 1,
    reply: { code: 250, enhanced: '2.0.0', text: 'Ok', phase: 'content' },
    metadata: { order: 5 },
  });
  assert.ok(seq > 0 && id.length > 0 && size! > 0 && queue_ms! >= 0);
  assert.match(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  assert.equal(delivery_id, `${message_id}.1`);

  const of = (to: string): string[] =>
    first.filter(({ recipient }) => recipient === to).map(({ type }) => type);
  assert.deepEqual(of('r7@to.test'), ['accepted', 'hard_bounce']);
  assert.deepEqual(of('r8@to.test'), ['accepted', 'soft_bounce', 'delivered']);
  await mta.end();
});

test('every delivery has exactly one end, also across restarts, and a reader goes on where it was', async (t) => {
  const sink = await receiver(t);
  const mta = await Mta.start(t, { routes: [routeTo(sink)] });
  const post = (count: number): ReturnType<Mta['api']> =>
    mta.api('/v1/batches', { type: 'application/x-ndjson', body: batch(count) });
  await post(100);
  const before = await mta.settled(100);
  const { seq } = before.at(-1)!;
  await mta.kill('SIGTERM');
  await mta.start();
  await post(50);
  await mta.settled(150);
  const rest = await mta.events(`after=${seq}`);
  assert.equal(rest[0]?.seq, seq + 1);
  assert.equal(ends(rest).length, 50);
  const all = await mta.end();
  assert.equal(ofType(all, 'accepted').length, 150);
  assert.equal(new Set(ends(all).map((event) => event.delivery_id)).size, 150);
  assert.equal(new Set(all.map(({ id }) => id)).size, all.length, 'ids are unique');
});
