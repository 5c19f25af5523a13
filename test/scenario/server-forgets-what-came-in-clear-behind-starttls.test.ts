import { test, type TestContext } from 'node:test';
import assert from 'node:assert/strict';
import { createSmtpServer, type SmtpServer, type SmtpSession } from '../../src/mta/smtp/server/index.ts';
import { makeCertificate } from '../../src/testbed/index.ts';
import { talkTo, type Talk } from '../support/talk.ts';

const certificate = makeCertificate({ names: ['mx.test'] });

async function started(
  t: TestContext,
  required: boolean,
  sessions: SmtpSession[] = [],
): Promise<{ server: SmtpServer; talk: Talk }> {
  const server = createSmtpServer({
    hostname: 'mx.test',
    tls: { ...certificate, required },
    handler: { onMessage: (session) => void sessions.push(session) },
  });
  const bound = await server.listen({ host: '127.0.0.1', port: 0 });
  assert.ok(bound.ok);
  t.after(() => server.close({ drainMs: 0 }));
  const talk = await talkTo(bound.value.port);
  await talk.expect(/^220 [^\n]*\n/);
  return { server, talk };
}

test('commands injected behind STARTTLS are not run', async (t) => {
  const { talk } = await started(t, false);
  assert.match(await talk.ask('EHLO me\r\n'), /250-STARTTLS/);
  await talk.ask('STARTTLS\r\nEHLO evil\r\nMAIL FROM:<evil@x.test>\r\n');
  await talk.startTls();
  // Neither the EHLO in clear nor the one injected counts any more.
  assert.match(await talk.ask('MAIL FROM:<a@b.test>\r\n'), /^503 /);
  assert.doesNotMatch(await talk.ask('EHLO me\r\n'), /STARTTLS/);
  assert.match(await talk.ask('STARTTLS\r\n'), /^503 /);
  talk.send('QUIT\r\n');
  assert.match(await talk.ended(), /^221 /);
});

test('where TLS is required nothing is taken in clear, and the session knows its cipher', async (t) => {
  const sessions: SmtpSession[] = [];
  const { talk } = await started(t, true, sessions);
  await talk.ask('EHLO me\r\n');
  assert.match(await talk.ask('MAIL FROM:<a@b.test>\r\n'), /^530 5\.7\.0/);
  assert.match(await talk.ask('STARTTLS now\r\n'), /^501 /);
  await talk.ask('STARTTLS\r\n');
  await talk.startTls();
  await talk.ask('EHLO me\r\n');
  talk.send('MAIL FROM:<a@b.test>\r\nRCPT TO:<c@d.test>\r\nBDAT 3 LAST\r\nx\r\n');
  await talk.expect(/250 2\.0\.0 Ok\r\n/);
  assert.match(sessions[0]?.tls?.version ?? '', /^TLSv1\.[23]$/);
  assert.ok(sessions[0]?.tls?.cipher);
});

test('a handshake that is garbage ends that session and no other', async (t) => {
  const { server, talk } = await started(t, false);
  await talk.ask('EHLO me\r\n');
  await talk.ask('STARTTLS\r\n');
  talk.send('this is no ClientHello\r\n'.repeat(100));
  await talk.ended();
  assert.equal(server.sessions <= 1, true);
  await server.close({ drainMs: 0 });
  assert.equal(server.sessions, 0);
});
