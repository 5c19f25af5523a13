import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test, type TestContext } from 'node:test';
import { createSmtpServer, type SmtpServer } from '../../../src/mta/smtp/index.ts';
import { type Talk, talkTo } from '../../support/talk.ts';
import { FakeClock } from './dialogue.ts';

const trust = {
  proxyProtocol: (): boolean => true,
  xclient: (): boolean => false,
  login: (): boolean => false,
};

async function behindProxy(t: TestContext): Promise<{
  server: SmtpServer;
  clock: FakeClock;
  reasons: string[];
  talk: Talk;
}> {
  const clock = new FakeClock();
  const reasons: string[] = [];
  const server = createSmtpServer({
    hostname: 'mx.test',
    handler: { onMessage: () => undefined },
    trust,
    clock,
    // Deadlines are looked at as often as the shortest one needs it.
    lingerMs: 40,
    onProxyRefused: (_, reason) => reasons.push(reason),
  });
  t.after(() => server.close({ drainMs: 0 }));
  const bound = await server.listen({ host: '127.0.0.1', port: 0 });
  assert.ok(bound.ok);
  const talk = await talkTo(bound.value.port, { allowHalfOpen: true });
  return { server, clock, reasons, talk };
}

test('a header that dribbles has 5 s in all', async (t) => {
  const { server, clock, reasons, talk } = await behindProxy(t);
  talk.send('PROXY TC');
  while (server.sessions === 0) await new Promise((resolve) => setImmediate(resolve));
  clock.ms = 4999;
  talk.send('P4 203.0');
  clock.ms = 5000;
  assert.match(await talk.ended(), /^421 4\.3\.0 /);
  assert.deepEqual(reasons, ['no PROXY protocol header within 5 s']);
});

test('a header that breaks off is told of, a connection that says nothing is not', async (t) => {
  const silent = await behindProxy(t);
  silent.talk.socket.end();
  assert.equal(await silent.talk.ended(), '');
  assert.deepEqual(silent.reasons, []);
  const broken = await behindProxy(t);
  broken.talk.socket.end('PROXY TCP4');
  assert.match(await broken.talk.ended(), /^421 /);
  assert.deepEqual(broken.reasons, ['the connection ended within the PROXY protocol header']);
});

test('a shutdown does not wait for headers', async (t) => {
  const { server, talk } = await behindProxy(t);
  talk.send('PROXY');
  while (server.sessions === 0) await new Promise((resolve) => setImmediate(resolve));
  const closed = server.close({ drainMs: 60_000 });
  assert.match(await talk.ended(), /^421 4\.3\.2 /);
  if (!talk.socket.destroyed) {
    talk.socket.destroy();
    await once(talk.socket, 'close');
  }
  await closed;
});

test('what comes with the header is the session', async (t) => {
  const { talk } = await behindProxy(t);
  talk.send('PROXY UNKNOWN\r\nEHLO a.test\r\nQUIT\r\n');
  talk.socket.end();
  assert.match(await talk.ended(), /^220 [^]*250[ -][^]*\r\n221 /);
});
