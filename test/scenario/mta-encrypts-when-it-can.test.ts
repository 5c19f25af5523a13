/** TLS towards receivers by the mode of the route: used when offered, left when broken, never left when required. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import type { Event } from '../../src/core/index.ts';
import { makeCertificate } from '../../src/testbed/index.ts';
import { ends, Mta, ofType } from '../support/mta.ts';
import { mail, receiver, routeTo, submit } from '../support/mta-world.ts';
import { startPeer, type Script } from '../support/scripted-peer.ts';

/** One message over a route; the events of its delivery but for the acceptance. */
async function send(t: TestContext, route: object, attempts = 1): Promise<Event[]> {
  const mta = await Mta.start(t, {
    routes: [route],
    retry_rules: [{ name: 'own', type: 'fixed', interval: '200ms', attempts }],
    senders: [{ name: 'shop', nodes: [{ node: 'n1' }], strategies: { default: 'unlimited' }, retry: 'own' }],
  });
  const session = await mta.session();
  assert.ok((await submit(session, 'a@to.test', mail('a@to.test'))).recipients[0]?.ok);
  await session.quit();
  await mta.settled(1);
  return (await mta.end()).filter(({ delivery_id: id, type }) => id !== undefined && type !== 'accepted');
}

const certificate = makeCertificate({ names: ['127.0.0.1'] });
const OFFER = '250-mx.test\r\n250-PIPELINING\r\n250 STARTTLS';

async function broken(
  t: TestContext,
  starttls: Script[string],
): Promise<Awaited<ReturnType<typeof startPeer>>> {
  const peer = await startPeer({ EHLO: OFFER, STARTTLS: starttls });
  t.after(() => peer.close());
  return peer;
}

test('what is offered is used, and the event says so', async (t) => {
  const sink = await receiver(t, { tls: certificate, keep: 1 });
  const [delivered] = await send(t, { ...routeTo(sink), tls: 'may' });
  assert.equal(delivered?.type, 'delivered');
  assert.match(delivered.tls?.version ?? '', /^TLSv1\.[23]$/);
  assert.ok(delivered.tls?.cipher);
  assert.equal(sink.messages[0]?.tls, true);
});

test('without an offer it goes in clear, and no tls is in the event', async (t) => {
  const sink = await receiver(t, { keep: 1 });
  const [delivered] = await send(t, { ...routeTo(sink), tls: 'may' });
  assert.deepEqual([delivered?.type, delivered?.tls, sink.messages[0]?.tls], ['delivered', undefined, false]);
});

test('tls none does not encrypt, whatever is offered', async (t) => {
  const sink = await receiver(t, { tls: certificate, keep: 1 });
  const [delivered] = await send(t, { ...routeTo(sink), tls: 'none' });
  assert.deepEqual([delivered?.tls, sink.messages[0]?.tls], [undefined, false]);
});

for (const [name, starttls] of [
  ['is refused', '454 4.7.0 TLS not available'],
  ['breaks off', [{ send: '220 go ahead' }, { act: 'close' }]],
  ['is reset', [{ send: '220 go ahead' }, { act: 'reset' }]],
] as const) {
  test(`STARTTLS that ${name}: may falls back to clear`, async (t) => {
    const peer = await broken(t, starttls);
    const events = await send(t, { ...routeTo(peer), tls: 'may' }, 3);
    assert.deepEqual(events.map(({ type, tls }) => [type, tls]).at(-1), ['delivered', undefined]);
    assert.equal(ends(events).length, 1);
    assert.equal(peer.messages.length, 1);
  });

  test(`STARTTLS that ${name}: require sends nothing`, async (t) => {
    const peer = await broken(t, starttls);
    const events = await send(t, { ...routeTo(peer), tls: 'require' }, 2);
    assert.deepEqual(
      events.map(({ type }) => type),
      ['soft_bounce', 'undelivered'],
    );
    assert.equal(events.at(-1)?.reason, 'attempts_exhausted');
    assert.equal(peer.messages.length, 0);
    assert.ok(!peer.lines.some((line) => line.startsWith('MAIL')));
  });
}

test('words behind the reply to STARTTLS are an attack: may sends nothing, neither in clear', async (t) => {
  const peer = await broken(t, [{ raw: '220 go ahead\r\n250 injected\r\n' }]);
  const events = await send(t, { ...routeTo(peer), tls: 'may' }, 2);
  assert.deepEqual(
    events.map(({ type }) => type),
    ['soft_bounce', 'undelivered'],
  );
  assert.equal(peer.messages.length, 0);
});

test('verify sends nothing to a certificate that nobody vouches for', async (t) => {
  const sink = await receiver(t, { tls: certificate });
  const events = await send(t, { ...routeTo(sink), tls: 'verify' }, 2);
  assert.deepEqual(ofType(events, 'soft_bounce')[0]?.bounce?.category, 'tls');
  assert.equal(ends(events)[0]?.type, 'undelivered');
  assert.equal(sink.stats().messages, 0);
});
