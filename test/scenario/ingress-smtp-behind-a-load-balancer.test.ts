/** Behind a load balancer the client is who it says it is, nobody else may say so, and it has to say it. */
import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { type Talk, talkTo } from '../support/talk.ts';
import { type Door, LOOPBACK, openDoor, type Way, WAYS } from '../unit/ingress/door.ts';
import { events, storedContent } from '../unit/ingress/fixture.ts';

const CLIENTS = { address: '203.0.113.0', prefix: 24, family: 'ipv4' } as const;
const V1 = 'PROXY TCP4 203.0.113.9 127.0.0.1 4711 25\r\n';
const V2 = Buffer.from('0d0a0d0a000d0a515549540a2111000ccb0071097f00000112670019', 'hex');
const V2_LOCAL = Buffer.from('0d0a0d0a000d0a515549540a20000000', 'hex');

async function behind(t: TestContext, way: Way, from: object): Promise<Door> {
  const opened = await openDoor(t, way);
  await opened.door.configure({ ...opened.rules, relayFrom: [CLIENTS], ...from });
  return opened;
}

async function mailFrom(talk: Talk): Promise<string> {
  await talk.expect(/^220 [^\r]*\r\n/);
  await talk.ask('EHLO app.test\r\n');
  return talk.ask('MAIL FROM:<bounce@shop.test>\r\n');
}

async function finish(talk: Talk, { desk }: Door): Promise<string> {
  await talk.ask('RCPT TO:<a@one.test>\r\n');
  await talk.ask('DATA\r\n');
  assert.match(await talk.ask('From: news@shop.test\r\n\r\nHello.\r\n.\r\n'), /^250/);
  return storedContent(desk, events(desk)[0]!.message_id!);
}

for (const way of WAYS)
  describe(`with ${way}`, () => {
    for (const [name, header] of [
      ['v1', Buffer.from(V1)],
      ['v2', V2],
    ] as const)
      test(`PROXY ${name}: the client may relay and stands in Received`, async (t) => {
        const door = await behind(t, way, { proxyProtocolFrom: [LOOPBACK] });
        const talk = await talkTo(door.port);
        for (const octet of header) talk.send(Buffer.of(octet));
        assert.match(await mailFrom(talk), /^250/);
        assert.match(await finish(talk, door), /^Received: from app\.test \(\[203\.0\.113\.9\]\)/);
      });

    test('the load balancer itself, and a client it does not know, may not relay as that client', async (t) => {
      const { port } = await behind(t, way, { proxyProtocolFrom: [LOOPBACK] });
      for (const header of [V2_LOCAL, 'PROXY UNKNOWN\r\n', V1.replace('203', '198')]) {
        const talk = await talkTo(port);
        talk.send(header);
        assert.match(await mailFrom(talk), /^550 5\.7\.1/);
      }
    });

    test('a client it does not know is not taken for the load balancer', async (t) => {
      const from = { proxyProtocolFrom: [LOOPBACK], relayFrom: [LOOPBACK] };
      const { port } = await behind(t, way, from);
      const unknown = await talkTo(port);
      unknown.send('PROXY UNKNOWN\r\n');
      assert.match(await mailFrom(unknown), /^550 5\.7\.1/);
      const local = await talkTo(port);
      local.send(V2_LOCAL);
      assert.match(await mailFrom(local), /^250/);
    });

    test('without a header there is no session, and the log is told once', async (t) => {
      const { port, refusals, door } = await behind(t, way, { proxyProtocolFrom: [LOOPBACK] });
      for (let i = 0; i < 3; i++) {
        const talk = await talkTo(port);
        talk.send('EHLO app.test\r\n');
        assert.match(await talk.ended(), /^421 4\.3\.0 [^\r]*\r\n$/);
      }
      await door.close({ drainMs: 0 });
      assert.equal(refusals.length, 1);
      assert.equal(refusals[0]!.proxy, '127.0.0.1');
      assert.match(refusals[0]!.reason, /does not begin with a PROXY protocol header/);
    });

    test('from others a header is no command', async (t) => {
      const { port } = await behind(t, way, { proxyProtocolFrom: [CLIENTS] });
      const talk = await talkTo(port);
      await talk.expect(/^220 [^\r]*\r\n/);
      assert.match(await talk.ask(V1), /^500/);
      await talk.ask('EHLO app.test\r\n');
      assert.match(await talk.ask('MAIL FROM:<a@b.test>\r\n'), /^550 5\.7\.1/);
    });

    test('XCLIENT: the client may relay and stands in Received, its user is one of ours', async (t) => {
      const door = await behind(t, way, { xclientFrom: [LOOPBACK] });
      const talk = await talkTo(door.port);
      assert.match(await mailFrom(talk), /^550/);
      assert.match(await talk.ask('XCLIENT ADDR=198.51.100.1 LOGIN=nobody\r\n'), /^501 5\.7\.8/);
      talk.send('XCLIENT ADDR=203.0.113.9\r\n');
      assert.match(await mailFrom(talk), /^250/);
      assert.match(await finish(talk, door), /^Received: from app\.test \(\[203\.0\.113\.9\]\)/);
      talk.send('XCLIENT ADDR=198.51.100.1 LOGIN=news\r\n');
      assert.match(await mailFrom(talk), /^250/);
    });
  });
