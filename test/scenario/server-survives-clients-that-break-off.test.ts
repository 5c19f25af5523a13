import { test, type TestContext } from 'node:test';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createSmtpServer, type ServerHandler, type SmtpServer } from '../../src/mta/smtp/server/index.ts';
import { talkTo } from '../support/talk.ts';

interface Running {
  readonly server: SmtpServer;
  readonly port: number;
  /** Resolves when a session has ended. */
  readonly gone: () => Promise<void>;
}

async function started(t: TestContext, handler: Partial<ServerHandler> = {}): Promise<Running> {
  const waiting: (() => void)[] = [];
  const server = createSmtpServer({
    hostname: 'mx.test',
    idleTimeoutMs: 60_000,
    handler: {
      onMessage: () => undefined,
      onClose: () => waiting.shift()?.(),
      ...handler,
    },
  });
  const bound = await server.listen({ host: '127.0.0.1', port: 0 });
  assert.ok(bound.ok);
  t.after(() => server.close({ drainMs: 0 }));
  return { server, port: bound.value.port, gone: () => new Promise((resolve) => waiting.push(resolve)) };
}

test('a reset at every step', async (t) => {
  const { server, port, gone } = await started(t);
  const steps = [
    '',
    'EHLO me\r\n',
    'MAIL FROM:<a@b.test>\r\n',
    'RCPT TO:<c@d.test>\r\n',
    'DATA\r\n',
    'half a li',
  ];
  for (let count = 0; count <= steps.length; count++) {
    const talk = await talkTo(port);
    await talk.expect(/^220 /);
    const ended = gone();
    for (const step of steps.slice(0, count)) talk.send(step);
    talk.socket.resetAndDestroy();
    await ended;
  }
  assert.equal(server.bufferedBytes, 0);
});

test('a client that sends everything and FIN gets all its replies', async (t) => {
  let decide: () => void = () => undefined;
  const { port } = await started(t, {
    onMessage: () => new Promise((resolve) => (decide = () => resolve(undefined))),
  });
  const talk = await talkTo(port, { allowHalfOpen: true });
  talk.socket.end('EHLO me\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<c@d.test>\r\nDATA\r\nx\r\n.\r\nQUIT\r\n');
  await talk.expect(/354 [^\n]*\n/);
  // A whole session of another client later the server has long seen the FIN.
  const other = await talkTo(port);
  await other.expect(/^220 [^\n]*\n/);
  await other.ask('QUIT\r\n');
  await other.ended();
  decide();
  assert.equal(await talk.ended(), '250 2.0.0 Ok\r\n221 2.0.0 Bye\r\n');
});

test('a client that breaks off while the handler thinks does no harm', async (t) => {
  let decide: () => void = () => undefined;
  let asked: () => void = () => undefined;
  const thinking = new Promise<void>((resolve) => (asked = resolve));
  const { server, port, gone } = await started(t, {
    onMessage: () => {
      asked();
      return new Promise((resolve) => (decide = () => resolve(undefined)));
    },
  });
  const talk = await talkTo(port);
  const ended = gone();
  talk.send('EHLO me\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<c@d.test>\r\nBDAT 0 LAST\r\n');
  await thinking;
  talk.socket.resetAndDestroy();
  await ended;
  decide();
  assert.equal(server.sessions, 0);
});

test('a megabyte without a line end, and binary garbage, cost the client its session only', async (t) => {
  const { port } = await started(t);
  for (const garbage of [
    Buffer.alloc(1 << 20, 'x'),
    Buffer.alloc(1 << 20, 0xff),
    Buffer.from('\0\n'.repeat(1e5)),
  ]) {
    const talk = await talkTo(port);
    await talk.expect(/^220 [^\n]*\n/);
    talk.send(garbage);
    assert.match(await talk.ended(), /^(?:500 [^\n]*\n)+(?:421 4\.7\.0 [^\n]*\n)?$/);
    talk.socket.destroy();
    await once(talk.socket, 'close');
  }
});

test('a client that never reads is not read either', async (t) => {
  let commands = 0;
  const { port } = await started(t, { onHelo: () => void commands++ });
  const talk = await talkTo(port);
  await talk.expect(/^220 /);
  talk.socket.pause();
  const text = 'EHLO me\r\n'.repeat(10_000);
  const rounds = 400;
  // Written until the socket takes no more: then both windows are full and the server must have stopped.
  let round = 0;
  while (round < rounds && talk.socket.write(text)) round++;
  talk.socket.write(text.repeat(rounds));
  await unchanged(() => commands);
  assert.ok(commands > 0 && commands < rounds * 10_000, `${commands} commands were read`);
  talk.socket.destroy();
});

/** Resolves when a count stays the same over many turns of the event loop, each of which would move bytes. */
async function unchanged(count: () => number): Promise<void> {
  let last = -1;
  for (let same = 0; same < 2000; last = count()) {
    await new Promise((resolve) => setImmediate(resolve));
    same = count() === last && last > 0 ? same + 1 : 0;
  }
}
