/** Where mail goes: MX hosts in order, smart hosts by route, and nowhere when the domain says so. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import type { Event } from '../../src/core/index.ts';
import type { ZoneEntry } from '../../src/testbed/index.ts';
import { ends, Mta, ofType, ownAddress, type Settings } from '../support/mta.ts';
import { dns, mail, mxHosts, receiver, routeTo, submit } from '../support/mta-world.ts';

/** Sends one message to each and gives the events of all. */
async function send(
  t: TestContext,
  recipients: readonly string[],
  settings: Settings,
): Promise<(recipient: string) => Event[]> {
  const mta = await Mta.start(t, settings);
  const session = await mta.session();
  for (const to of recipients) assert.ok((await submit(session, to, mail(to))).recipients[0]?.ok);
  await session.quit();
  await mta.settled(recipients.length);
  const events = await mta.end();
  return (to) => events.filter(({ recipient }) => recipient === to);
}

async function byDns(t: TestContext, zones: Record<string, ZoneEntry>, port: number): Promise<Settings> {
  const { stub } = await dns(t, zones);
  return {
    dns: { servers: [stub.address], timeout: '2s', allow_loopback_mx: true },
    egress: { port, timeouts: { connect: '2s' } },
  };
}

test('the second MX takes what the first one refuses to talk about', async (t) => {
  const busy = { phase: 'greeting', action: { code: 421, enhanced: '4.3.2', text: 'Not today' } } as const;
  const [second, full] = await mxHosts(t, [{}, { rules: [busy] }]);
  const settings = await byDns(
    t,
    {
      'closed.test': {
        MX: [
          [20, 'mx2.test'],
          [10, 'mx1.closed.test'],
        ],
      },
      'mx1.closed.test': { A: [ownAddress()] },
      'busy.test': {
        MX: [
          [20, 'mx2.test'],
          [10, 'mx1.busy.test'],
        ],
      },
      'mx1.busy.test': { A: [full!.address] },
      'mx2.test': { A: [second!.address] },
      'host.test': { A: [second!.address] },
    },
    second!.sink.port,
  );
  const eventsOf = await send(t, ['a@closed.test', 'a@busy.test', 'a@host.test'], settings);
  for (const [to, mx] of [
    ['a@closed.test', 'mx2.test'],
    ['a@busy.test', 'mx2.test'],
    ['a@host.test', 'host.test'],
  ] as const) {
    assert.deepEqual(
      eventsOf(to).map(({ type }) => type),
      ['accepted', 'delivered'],
      to,
    );
    const delivered = ofType(eventsOf(to), 'delivered')[0]!;
    assert.deepEqual([delivered.mx, delivered.mx_ip], [mx, second!.address]);
  }
  assert.deepEqual([second!.sink.stats().recipients, full!.sink.stats().recipients], [3, 0]);
  assert.equal(full!.sink.stats().byReply['421 4.3.2 Not today'], 1);
});

test('a domain that takes no mail, or does not exist, fails at once', async (t) => {
  const settings = await byDns(
    t,
    {
      'nomail.test': { MX: [[0, '.']] },
      'empty.test': { TXT: ['v=spf1 -all'] },
      'loop.test': { MX: [[0, 'localhost']] },
    },
    25,
  );
  const wanted = [
    ['a@nomail.test', 'hard_bounce', '5.1.10', undefined],
    ['a@gone.test', 'hard_bounce', '5.1.2', undefined],
    ['a@empty.test', 'undelivered', '5.4.4', 'refused'],
    ['a@loop.test', 'undelivered', '5.4.6', 'refused'],
  ] as const;
  const eventsOf = await send(
    t,
    wanted.map(([to]) => to),
    settings,
  );
  for (const [to, type, enhanced, reason] of wanted) {
    const [end] = ends(eventsOf(to));
    assert.deepEqual(
      [end?.type, end?.reply?.enhanced, end?.reason, end?.attempt],
      [type, enhanced, reason, 1],
      to,
    );
    assert.equal(eventsOf(to).length, 2);
  }
});

test('routes go before MX: the first that matches, its hosts in order', async (t) => {
  const [mx] = await mxHosts(t, [{}]);
  const [corporate, all] = [await receiver(t), await receiver(t)];
  const settings = await byDns(
    t,
    { 'open.test': { MX: [[10, 'mx.open.test']] }, 'mx.open.test': { A: [mx!.address] } },
    mx!.sink.port,
  );
  const refusing = `${ownAddress()}:${all.port}`;
  const routes = [
    routeTo(corporate, '*.corp.test'),
    { domain: 'fall.test', hosts: [refusing, `127.0.0.1:${all.port}`] },
    { domain: 'x.corp.test', hosts: [refusing] },
  ];
  const eventsOf = await send(t, ['a@x.corp.test', 'a@fall.test', 'a@open.test'], { ...settings, routes });
  const ports = ['a@x.corp.test', 'a@fall.test', 'a@open.test'].map(
    (to) => ofType(eventsOf(to), 'delivered')[0]?.mx_ip,
  );
  assert.deepEqual(ports, ['127.0.0.1', '127.0.0.1', mx!.address]);
  const taken = [corporate, all, mx!.sink].map((sink) => sink.stats().recipients);
  assert.deepEqual(taken, [1, 1, 1]);
});
