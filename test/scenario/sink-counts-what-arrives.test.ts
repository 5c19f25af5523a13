import { test, type TestContext } from 'node:test';
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { startSink, type Sink, type SinkOptions } from '../../src/testbed/index.ts';
import { talkTo } from '../support/talk.ts';

const envelope = (...recipients: string[]): string =>
  `MAIL FROM:<a@b.test>\r\n${recipients.map((r) => `RCPT TO:<${r}>\r\n`).join('')}`;
const message = (id: string): string => `DATA\r\nMessage-ID: <${id}>\r\n\r\nx\r\n.\r\n`;

async function started(t: TestContext, options: SinkOptions = {}): Promise<Sink> {
  const sink = await startSink(options);
  t.after(() => sink.close());
  return sink;
}

test('messages, recipients, duplicates and peers', async (t) => {
  const seen: string[] = [];
  const sink = await started(t, { keep: 1, onMessage: (m) => void seen.push(...m.recipients) });
  const talk = await talkTo(sink.port);
  talk.send(`EHLO me.test\r\n${envelope('u1@d.test', 'u2@d.test')}${message('1')}`);
  talk.send(`${envelope('u1@d.test')}${message('2')}`);
  assert.equal(await sink.until((stats) => stats.messages === 2), true);
  talk.send('QUIT\r\n');
  await talk.ended();
  await sink.close();
  const { seconds, perSecond, ...stats } = sink.stats();
  assert.ok(seconds >= 0 && perSecond >= 0);
  assert.deepEqual(stats, {
    connections: 1,
    sessionsOpen: 0,
    sessionsMax: 1,
    messages: 2,
    recipients: 3,
    distinctRecipients: 2,
    duplicates: 1,
    bytes: 2 * 'Message-ID: <1>\r\n\r\nx\r\n'.length,
    rateExceeded: 0,
    byPeerAddress: { '127.0.0.1': 2 },
    byHelo: { 'me.test': 2 },
    byReply: { accepted: 2 },
  });
  assert.deepEqual(seen, ['u1@d.test', 'u2@d.test', 'u1@d.test']);
  assert.equal(sink.messages.length, 1);
  assert.equal(sink.messages[0]?.from, 'a@b.test');
});

test('with Message-IDs two messages to one recipient are no duplicates', async (t) => {
  const sink = await started(t, { duplicatesBy: 'recipient-and-message-id' });
  const talk = await talkTo(sink.port);
  talk.send('EHLO me\r\n');
  for (const id of ['1', '2', '2']) talk.send(`${envelope('u@d.test')}${message(id)}`);
  await sink.until((stats) => stats.messages === 3);
  assert.equal(sink.stats().duplicates, 1);
  await sink.close();
});

test('messages are dumped with their envelopes', async (t) => {
  const directory = await mkdtemp(path.join(tmpdir(), 'sink-'));
  const sink = await started(t, { dump: path.join(directory, 'new') });
  const talk = await talkTo(sink.port);
  talk.send(`EHLO me\r\n${envelope('u@d.test')}DATA\r\n..x\r\n.\r\n`);
  await talk.expect(/354 [^\n]*\n250 /);
  assert.equal(await readFile(path.join(directory, 'new/000001.eml'), 'latin1'), '.x\r\n');
  const written = JSON.parse(await readFile(path.join(directory, 'new/000001.json'), 'utf8')) as object;
  assert.deepEqual(written, {
    number: 1,
    peerAddress: '127.0.0.1',
    helo: 'me',
    tls: false,
    from: 'a@b.test',
    recipients: ['u@d.test'],
  });
  await sink.close();
  await rm(directory, { recursive: true });
});

test('a condition that is not met in time is no success', async (t) => {
  const sink = await started(t);
  assert.equal(await sink.until((stats) => stats.messages > 0, 1), false);
  const inVain = sink.until((stats) => stats.messages > 0, 1e9);
  await sink.close();
  assert.equal(await inVain, false);
  await sink.close();
});

test('an address that is not on this machine is a clear error', async () => {
  await assert.rejects(startSink({ listen: [{ host: '192.0.2.1', port: 0 }] }), /EADDRNOTAVAIL/);
});
