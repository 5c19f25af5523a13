import { describe, test } from 'node:test';
import assert from 'node:assert/strict';
import {
  makeCertificate,
  startSink,
  type Sink,
  type SinkOptions,
  type SinkRule,
} from '../../src/testbed/index.ts';
import { talkTo, type Talk } from '../support/talk.ts';

async function withSink(options: SinkOptions, use: (sink: Sink, talk: Talk) => Promise<void>): Promise<void> {
  const sink = await startSink(options);
  try {
    const talk = await talkTo(sink.port);
    await use(sink, talk);
  } finally {
    await sink.close();
  }
}

const STEPS: readonly (readonly [SinkRule['phase'], string])[] = [
  ['greeting', ''],
  ['ehlo', 'EHLO me\r\n'],
  ['mail', 'MAIL FROM:<a@b.test>\r\n'],
  ['rcpt', 'RCPT TO:<c@d.test>\r\n'],
  ['data', 'DATA\r\n'],
  ['mid-content', 'half of a '],
  ['content', 'line\r\n.\r\n'],
];

/** Final lines of replies up to and without the one to this step. */
const repliesBefore = (phase: SinkRule['phase']): number =>
  STEPS.findIndex(([name]) => name === phase) - (phase === 'content' ? 1 : 0);

const finalLines = (text: string): number => text.match(/^\d{3} .*\r\n/gm)?.length ?? 0;

describe('disconnects', () => {
  for (const [phase] of STEPS)
    test(`at ${phase}, after the replies to what came before`, () =>
      withSink({ rules: [{ phase, action: 'disconnect' }] }, async (sink, talk) => {
        for (const [, text] of STEPS) talk.send(text);
        assert.equal(finalLines(await talk.ended()), repliesBefore(phase));
        assert.deepEqual(sink.stats().byReply, { disconnect: 1 });
        assert.equal(sink.stats().messages, 0);
      }));
});

describe('hangs', () => {
  for (const [phase] of STEPS)
    test(`at ${phase}`, () =>
      withSink({ rules: [{ phase, action: 'hang' }] }, async (sink, talk) => {
        for (const [, text] of STEPS) talk.send(text);
        assert.equal(await sink.until((stats) => stats.byReply.hang === 1), true);
        talk.send('NOOP\r\n');
        await sink.close();
        assert.equal(finalLines(await talk.ended()), repliesBefore(phase));
      }));
});

describe('replies by rule', () => {
  for (const phase of ['greeting', 'ehlo', 'mail', 'rcpt', 'data', 'content'] as const)
    test(`at ${phase}`, () =>
      withSink(
        { rules: [{ phase, action: { code: 451, enhanced: '4.7.1', text: 'Not now' } }] },
        async (sink, talk) => {
          for (const [, text] of STEPS) talk.send(text);
          await talk.expect(/451 4\.7\.1 Not now\r\n/);
          assert.deepEqual(sink.stats().byReply, { '451 4.7.1 Not now': 1 });
        },
      ));

  test('greylisting: the first attempt of each recipient', () =>
    withSink(
      { rules: [{ phase: 'rcpt', once: true, action: { code: 451, enhanced: '4.7.1', text: 'Later' } }] },
      async (_sink, talk) => {
        await talk.expect(/^220 [^\n]*\n/);
        await talk.ask('EHLO me\r\n');
        await talk.ask('MAIL FROM:<a@b.test>\r\n');
        assert.match(await talk.ask('RCPT TO:<c@d.test>\r\n'), /^451 /);
        assert.match(await talk.ask('RCPT TO:<c@d.test>\r\n'), /^250 /);
        assert.match(await talk.ask('RCPT TO:<e@d.test>\r\n'), /^451 /);
      },
    ));

  test('unknown users', () =>
    withSink({ unknownUsers: ['nobody@d.test', '*@gone.test'] }, async (sink, talk) => {
      await talk.expect(/^220 [^\n]*\n/);
      await talk.ask('EHLO me\r\n');
      await talk.ask('MAIL FROM:<a@b.test>\r\n');
      assert.match(await talk.ask('RCPT TO:<nobody@d.test>\r\n'), /^550 5\.1\.1 /);
      assert.match(await talk.ask('RCPT TO:<x@gone.test>\r\n'), /^550 5\.1\.1 /);
      assert.match(await talk.ask('RCPT TO:<x@d.test>\r\n'), /^250 /);
      assert.deepEqual(sink.stats().byReply, { '550 5.1.1 No such user here': 2 });
    }));

  test('with latency the replies still come in order', () =>
    withSink({ replyLatencyMs: 1, messageLatencyMs: 1 }, async (sink, talk) => {
      for (const [, text] of STEPS) talk.send(text);
      await talk.expect(/^220 .*354 [^\n]*\n250 2\.0\.0 Ok\r\n/s);
      assert.equal(sink.stats().messages, 1);
    }));
});

describe('limits', () => {
  for (const code of [421, 450] as const)
    test(`above the rate: ${code}`, () =>
      withSink({ rateLimit: { count: 1, perMs: 3_600_000, code } }, async (sink, talk) => {
        await talk.expect(/^220 [^\n]*\n/);
        await talk.ask('EHLO me\r\n');
        await talk.ask('MAIL FROM:<a@b.test>\r\n');
        assert.match(await talk.ask('RCPT TO:<c@d.test>\r\n'), /^250 /);
        assert.ok((await talk.ask('RCPT TO:<c@d.test>\r\n')).startsWith(`${code} 4.7.0 `));
        if (code === 421) assert.equal(await talk.ended(), '');
        else assert.match(await talk.ask('NOOP\r\n'), /^250 /);
        assert.equal(sink.stats().rateExceeded, 1);
      }));

  test('too many sessions', () =>
    withSink({ maxSessions: 1 }, async (sink, first) => {
      await first.expect(/^220 [^\n]*\n/);
      const second = await talkTo(sink.port);
      assert.match(await second.ended(), /^421 4\.3\.2 /);
      assert.equal(sink.stats().sessionsMax, 1);
    }));
});

test('capabilities and TLS as told', () =>
  withSink(
    {
      tls: { ...makeCertificate({ names: ['sink.test'] }), required: true },
      capabilities: { chunking: false, pipelining: false },
    },
    async (sink, talk) => {
      await talk.expect(/^220 [^\n]*\n/);
      const offered = await talk.ask('EHLO me\r\n');
      assert.match(offered, /STARTTLS/);
      assert.doesNotMatch(offered, /CHUNKING|PIPELINING/);
      await talk.ask('STARTTLS\r\n');
      await talk.startTls();
      talk.send('EHLO me\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<c@d.test>\r\nDATA\r\n.\r\n');
      assert.equal(await sink.until((stats) => stats.messages === 1), true);
    },
  ));
