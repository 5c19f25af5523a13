/** Name servers that say nothing delay the mail of their domains, and of no others. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Mta, ofType } from '../support/mta.ts';
import { dns, mail, mxHosts, submit } from '../support/mta-world.ts';

test('a domain whose lookup times out is tried again until it answers', async (t) => {
  const [mx] = await mxHosts(t, [{}]);
  const { stub, zones } = await dns(t, {
    'silent.test': { behaviour: 'drop' },
    'broken.test': { rcode: 'SERVFAIL' },
    'fine.test': { MX: [[10, 'mx.fine.test']] },
    'mx.fine.test': { A: [mx!.address] },
  });
  const mta = await Mta.start(t, {
    dns: { servers: [stub.address], timeout: '1s', allow_loopback_mx: true },
    egress: { port: mx!.sink.port },
    retry_rules: [{ name: 'soon', type: 'fixed', interval: '1s', attempts: 30 }],
    senders: [{ name: 'shop', nodes: [{ node: 'n1' }], strategies: { default: 'unlimited' }, retry: 'soon' }],
  });
  const session = await mta.session();
  for (const to of ['a@silent.test', 'a@broken.test', 'a@fine.test'])
    assert.ok((await submit(session, to, mail(to))).recipients[0]?.ok);
  await session.quit();
  await mta.until((events) => {
    const tried = new Set(ofType(events, 'soft_bounce').map(({ recipient }) => recipient));
    return (
      tried.has('a@silent.test') && tried.has('a@broken.test') && ofType(events, 'delivered').length === 1
    );
  });
  for (const name of ['silent.test', 'broken.test']) zones[name] = { MX: [[10, 'mx.fine.test']] };
  await mta.settled(3);
  const events = await mta.end();
  assert.equal(ofType(events, 'delivered').length, 3);
  const fine = events.filter(({ recipient }) => recipient === 'a@fine.test').map(({ type }) => type);
  assert.deepEqual(fine, ['accepted', 'delivered']);
  for (const bounce of ofType(events, 'soft_bounce')) {
    assert.deepEqual([bounce.reply?.enhanced, bounce.bounce?.category], ['4.4.3', 'dns']);
    assert.ok(bounce.next_attempt);
  }
  assert.deepEqual([mx!.sink.stats().recipients, mx!.sink.stats().duplicates], [3, 0]);
});
