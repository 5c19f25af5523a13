import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { ReplyParser, toReply, type ParsedReply } from '../../../src/mta/smtp/client/index.ts';

function parse(text: string | Buffer): { replies: ParsedReply[]; fault: string | undefined } {
  const replies: ParsedReply[] = [];
  const fault = new ReplyParser().push(Buffer.from(text as string), replies);
  return { replies, fault };
}

const reply = (text: string) => toReply(parse(text).replies[0]!);

describe('reply parser', () => {
  test('reads a reply of one line', () => {
    assert.deepEqual(reply('250 2.1.5 ok\r\n'), { code: 250, enhanced: '2.1.5', text: 'ok' });
  });

  test('joins the lines and keeps one enhanced code', () => {
    const { replies } = parse('550-5.1.1 no such\r\n550-5.1.1 user\r\n550 5.1.1\r\n');
    assert.deepEqual(replies[0]!.lines, ['5.1.1 no such', '5.1.1 user', '5.1.1']);
    assert.deepEqual(toReply(replies[0]!), { code: 550, enhanced: '5.1.1', text: 'no such user' });
  });

  test('keeps a code in a later line that is another one', () => {
    assert.equal(reply('550-5.1.1 a\r\n550 5.1.10 b\r\n').text, 'a 5.1.10 b');
  });

  test('reads several replies from one chunk', () => {
    const { replies } = parse('250 a\r\n250-b\r\n250 c\r\n354 d\r\n');
    assert.deepEqual(
      replies.map(({ code, lines }) => [code, ...lines]),
      [
        [250, 'a'],
        [250, 'b', 'c'],
        [354, 'd'],
      ],
    );
  });

  test('reads the same however the bytes are split', () => {
    const text = '250-mx.test\r\n250-SIZE 100\r\n250 DSN\r\n550 5.1.1 größer\r\n';
    const bytes = Buffer.from(text);
    for (let at = 0; at <= bytes.length; at++) {
      const parser = new ReplyParser();
      const replies: ParsedReply[] = [];
      parser.push(bytes.subarray(0, at), replies);
      parser.push(bytes.subarray(at), replies);
      assert.deepEqual(replies, parse(text).replies, `split at ${at}`);
    }
  });

  test('knows whether it is between replies', () => {
    const parser = new ReplyParser();
    assert.equal(parser.idle, true);
    parser.push(Buffer.from('250 a\r\n2'), []);
    assert.equal(parser.idle, false);
    parser.push(Buffer.from('50 b\r\n'), []);
    assert.equal(parser.idle, true);
  });

  test('takes a bare LF and a code without a text', () => {
    assert.deepEqual(reply('250\n'), { code: 250, enhanced: undefined, text: '' });
    assert.deepEqual(reply('250\r\n'), { code: 250, enhanced: undefined, text: '' });
    assert.equal(reply('250 a\n').text, 'a');
  });

  test('replaces what would act on a terminal or a report', () => {
    assert.equal(reply('550 a\x1b[2Jb\tc\x00\r\n').text, 'a?[2Jb c?');
    assert.equal(reply('550 a\rb\r\n').text, 'a?b');
    assert.equal(reply('550 \u0085\u202e\u2028\u2066x\r\n').text, '????x');
    assert.equal(reply('550 почта\r\n').text, 'почта');
  });

  for (const [name, text] of [
    ['no code', 'hello\r\n'],
    ['an empty line', '\r\n'],
    ['a short code', '25\r\n'],
    ['a code from 100', '150 a\r\n'],
    ['a code from 600', '600 a\r\n'],
    ['a letter in the code', '2x0 a\r\n'],
    ['no separator', '250a\r\n'],
    ['codes that differ', '250-a\r\n251 b\r\n'],
    ['101 lines', '250-a\r\n'.repeat(101)],
    ['more than 64 KB', `250-${'x'.repeat(3000)}\r\n`.repeat(22)],
    ['more than 64 KB in a line', `250 ${'x'.repeat(65536)}`],
  ] as const) {
    test(`calls ${name} a fault and stays with it`, () => {
      const parser = new ReplyParser();
      const replies: ParsedReply[] = [];
      assert.equal(typeof parser.push(Buffer.from(text), replies), 'string');
      assert.equal(typeof parser.push(Buffer.from('250 a\r\n'), replies), 'string');
      assert.deepEqual(replies, []);
    });
  }

  test('takes 100 lines', () => {
    assert.equal(parse(`${'250-a\r\n'.repeat(99)}250 b\r\n`).replies[0]!.lines.length, 100);
  });

  test('keeps 4 KB of a line, also of one that comes in pieces', () => {
    const line = `250 ${'x'.repeat(6000)}\r\n`;
    assert.equal(parse(line).replies[0]!.lines[0]!.length, 4092);
    const parser = new ReplyParser();
    const replies: ParsedReply[] = [];
    for (const byte of Buffer.from(line)) parser.push(Buffer.of(byte), replies);
    assert.equal(replies[0]!.lines[0]!.length, 4092);
  });

  test('keeps 1,024 characters of a text and no half of a pair', () => {
    assert.equal(reply(`250 ${'x'.repeat(2000)}\r\n`).text.length, 1024);
    assert.equal(reply(`250 ${'x'.repeat(1023)}😀\r\n`).text.length, 1023);
  });

  test('reads the replies that real peers gave', (context) => {
    const file = new URL('../../../../shared/corpus/replies.jsonl', import.meta.url);
    if (!existsSync(file)) {
      context.skip('the third-party samples are not here');
      return;
    }
    const rows = readFileSync(file, 'utf8').trim().split('\n');
    for (const row of rows) {
      const sample = JSON.parse(row) as { reply: string; code: string };
      if (!/^[2-5]\d\d[ -]/.test(sample.reply)) continue;
      // The samples hold several lines as one.
      const line = sample.reply.replace(/\s+/g, ' ').replace(/^(\d\d\d)-/, '$1 ');
      const { replies, fault } = parse(`${line}\r\n`);
      assert.equal(fault, undefined, sample.reply);
      assert.equal(String(replies[0]?.code), sample.code, sample.reply);
    }
  });
});
