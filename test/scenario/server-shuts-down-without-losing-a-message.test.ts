import { test, type TestContext } from 'node:test';
import assert from 'node:assert/strict';
import { createSmtpServer, type ServerOptions, type SmtpServer } from '../../src/mta/smtp/server/index.ts';
import { talkTo } from '../support/talk.ts';

async function started(
  t: TestContext,
  options: Partial<ServerOptions> = {},
): Promise<{ server: SmtpServer; port: number }> {
  const server = createSmtpServer({
    hostname: 'mx.test',
    handler: { onMessage: () => undefined },
    ...options,
  });
  const bound = await server.listen({ host: '127.0.0.1', port: 0 });
  assert.ok(bound.ok);
  t.after(() => server.close({ drainMs: 0 }));
  return { server, port: bound.value.port };
}

test('idle sessions get 421 at once, an open transaction is finished first', async (t) => {
  const taken: string[] = [];
  const handler = {
    onMessage: (_s: unknown, m: { content: Buffer }) => void taken.push(m.content.toString()),
  };
  const { server, port } = await started(t, { handler });
  const idle = await talkTo(port);
  await idle.expect(/^220 /);
  const busy = await talkTo(port);
  await busy.expect(/^220 /);
  busy.send('EHLO me\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<c@d.test>\r\nDATA\r\n');
  await busy.expect(/354 [^\n]*\n/);
  const closed = server.close({ drainMs: 10_000 });
  assert.match(await idle.ended(), /421 4\.3\.2 /);
  busy.send('x\r\n.\r\n');
  assert.match(await busy.ended(), /^250 2\.0\.0 Ok\r\n421 4\.3\.2 /);
  await closed;
  assert.deepEqual(taken, ['x\r\n']);
  assert.equal(server.sessions, 0);
});

test('what does not end in time is cut off', async (t) => {
  const { server, port } = await started(t);
  const busy = await talkTo(port);
  await busy.expect(/^220 /);
  await busy.ask('HELO me\r\n');
  await busy.ask('MAIL FROM:<>\r\n');
  await server.close({ drainMs: 1 });
  await busy.ended();
  assert.equal(server.sessions, 0);
});

test('a session that arrives while the server is full is told to come later', async (t) => {
  const { port } = await started(t, { maxConnections: 1 });
  const first = await talkTo(port);
  await first.expect(/^220 /);
  const second = await talkTo(port);
  assert.match(await second.ended(), /^421 4\.3\.2 Too many connections/);
  await first.ask('QUIT\r\n');
  await first.ended();
});
