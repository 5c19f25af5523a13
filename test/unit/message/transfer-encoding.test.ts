import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  decodeQuotedPrintable,
  encodeBase64Lines,
  encodeQuotedPrintable,
  quotedPrintableLength,
} from '../../../src/mta/message/transfer-encoding.ts';

const encoded = (text: string): string =>
  encodeQuotedPrintable(Buffer.from(text, 'latin1')).toString('latin1');

describe('quoted-printable', () => {
  for (const [text, expected] of [
    ['', ''],
    ['a=b', 'a=3Db'],
    ['a b\tc', 'a b\tc'],
    ['a \r\nb\t', 'a=20\r\nb=09'],
    ['\r\n\r\n', '\r\n\r\n'],
    ['\r\n a', '\r\n a'],
    ['a\rb\nc', 'a=0Db=0Ac'],
    ['\xa0\x00~\x7f', '=A0=00~=7F'],
    ['x'.repeat(75), 'x'.repeat(75)],
    ['x'.repeat(76), `${'x'.repeat(75)}=\r\nx`],
    [`${'x'.repeat(74)}\xff`, `${'x'.repeat(74)}=\r\n=FF`],
  ] as const)
    test(JSON.stringify(text), () => assert.equal(encoded(text), expected));

  test('lines are short, nothing ends in a blank, and it can be read back', () => {
    const piece = fc.constantFrom(
      '\r\n',
      ' ',
      '\t',
      '=',
      'word',
      '\xa0',
      '\xff',
      'long'.repeat(30),
      '\n',
      '\r',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 60 }), (pieces) => {
        const bytes = Buffer.from(pieces.join(''), 'latin1');
        const text = encodeQuotedPrintable(bytes).toString('latin1');
        for (const line of text.split('\r\n')) assert.match(line, /^[\t\x20-\x7e]{0,76}$(?<![ \t])/);
        assert.deepEqual(decodeQuotedPrintable(Buffer.from(text, 'latin1')), bytes);
        assert.ok(quotedPrintableLength(bytes) >= bytes.length);
      }),
    );
  });

  test('decoding tolerates what is not valid', () => {
    const decode = (text: string): string =>
      decodeQuotedPrintable(Buffer.from(text, 'latin1')).toString('latin1');
    assert.equal(decode('a=3db=c3'), 'a=b\xc3');
    assert.equal(decode('a=\r\nb= \t\r\nc=\nd'), 'abcd');
    assert.equal(decode('a=zz b=4'), 'a=zz b=4');
    assert.equal(decode('a  \r\nb \t\nc'), 'a\r\nb\nc');
    assert.equal(decode('a=20 \r\n'), 'a \r\n');
    assert.equal(decode('a='), 'a');
  });
});

test('base64 lines have 76 characters and can be read back', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (array) => {
      const bytes = Buffer.from(array);
      const lines = encodeBase64Lines(bytes).toString('latin1').split('\r\n');
      assert.equal(lines.pop(), '');
      for (const [i, line] of lines.entries())
        assert.ok(i < lines.length - 1 ? line.length === 76 : line.length <= 76 && line.length > 0);
      assert.deepEqual(Buffer.from(lines.join(''), 'base64'), bytes);
    }),
  );
});
