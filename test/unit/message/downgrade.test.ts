import assert from 'node:assert/strict';
import { isAscii } from 'node:buffer';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { downgrade } from '../../../src/mta/message/index.ts';
import { readMime, type Part } from './read-mime.ts';

const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1');
const multipart = (type: string, ...parts: readonly string[]): string =>
  `MIME-Version: 1.0\r\nContent-Type: multipart/${type}; boundary="b${parts.length}"\r\nContent-Transfer-Encoding: 8bit\r\n\r\n` +
  parts.map((part) => `--b${parts.length}\r\n${part}\r\n`).join('') +
  `--b${parts.length}--\r\n`;
const text8 =
  'Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nGr\xc3\xbc\xc3\x9fe \r\n';

function downgraded(text: string): Buffer {
  const result = downgrade(latin1(text));
  assert.ok(result.ok, JSON.stringify(result));
  assert.ok(isAscii(result.value));
  return result.value;
}

function leaves(part: Part): readonly Part[] {
  return part.children.length === 0 ? [part] : part.children.flatMap(leaves);
}

describe('downgrade', () => {
  test('returns a 7-bit content itself', () => {
    const content = latin1('A: b\r\nContent-Transfer-Encoding: 8bit\r\n\r\nx\r\n');
    const result = downgrade(content);
    assert.ok(result.ok && result.value === content);
  });

  test('a text becomes quoted-printable with the same bytes', () => {
    const part = readMime(downgraded(`MIME-Version: 1.0\r\nX: y\r\n${text8}`));
    assert.equal(part.header['content-transfer-encoding'], 'quoted-printable');
    assert.equal(part.header['content-type'], 'text/plain; charset=utf-8');
    assert.equal(part.header['x'], 'y');
    assert.equal(part.bytes.toString(), 'Gr\u00fc\u00dfe \r\n');
  });

  test('a message without MIME fields gets them', () => {
    const utf8 = readMime(downgraded('X: y\r\n\r\n\xc3\xbc\r\n'));
    assert.equal(utf8.header['mime-version'], '1.0');
    assert.equal(utf8.header['content-type'], 'text/plain; charset=utf-8');
    const other = readMime(downgraded('X: y\r\n\r\n\xfc\r\n'));
    assert.equal(other.header['content-type'], 'text/plain; charset=unknown-8bit');
  });

  test('only the parts that need it change, in nested multiparts and messages too', () => {
    const picture = 'Content-Type: image/png\r\nContent-Transfer-Encoding: binary\r\n\r\n\x89PNG\r\n\x1a';
    const plain = 'Content-Type: text/plain\r\n\r\nplain \r\n';
    const base64 = 'Content-Type: image/gif\r\nContent-Transfer-Encoding: base64\r\n\r\nR0lG\r\n';
    const inner = multipart('alternative', plain, text8);
    const forwarded = `Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\r\nSubject: f\r\n${text8}`;
    const result = downgraded(`From: a@b.cc\r\n${multipart('mixed', inner, picture, base64, forwarded)}`);
    const [first, second, image, gif, message] = leaves(readMime(result));
    assert.ok(result.includes(plain) && result.includes(base64));
    assert.deepEqual([first!.type, gif!.type], ['text/plain', 'image/gif']);
    assert.equal(second!.bytes.toString(), 'Gr\u00fc\u00dfe \r\n');
    assert.deepEqual(image!.bytes, latin1('\x89PNG\r\n\x1a'));
    assert.equal(image!.header['content-transfer-encoding'], 'base64');
    assert.equal(readMime(message!.bytes).header['content-transfer-encoding'], 'quoted-printable');
    assert.doesNotMatch(result.toString(), /8bit|binary/);
  });

  for (const [what, text, reason] of [
    ['8-bit bytes in the header', 'Subject: \xc3\xbc\r\n\r\n\xc3\xbc', /header/],
    ['8-bit bytes in a part header', multipart('mixed', 'Content-Description: \xfc\r\n\r\nx'), /header/],
    [
      'a signed part',
      multipart('signed', text8, 'Content-Type: application/pgp-signature\r\n\r\nx'),
      /signed/,
    ],
    ['a lie about base64', 'Content-Transfer-Encoding: base64\r\n\r\n\xfc', /encoding/],
    ['an unknown encoding', 'Content-Transfer-Encoding: x-uue\r\n\r\n\xfc', /encoding/],
    ['a preamble', multipart('mixed', text8).replace('\r\n\r\n--', '\r\n\r\n\xfc\r\n--'), /between/],
    ['an epilogue', `${multipart('mixed', text8)}\xfc`, /between/],
    ['a multipart without a boundary', 'Content-Type: multipart/mixed\r\n\r\n\xfc', /boundary/],
    ['a report', multipart('report', 'Content-Type: message/delivery-status\r\n\r\n\xfc'), /message/],
    ['a broken header', 'Content-Type text/plain\r\n\r\n\xfc', /not a header field/],
    [
      'parts without end',
      multipart('mixed', ...Array<string>(10_000).fill('\r\n'), text8),
      /more than 10000 parts/,
    ],
    [
      'a header of a part without end',
      multipart('mixed', `${'a:\r\n'.repeat(70_000)}${text8}`),
      /header of a part/,
    ],
  ] as const)
    test(`refuses ${what}`, () => {
      const result = downgrade(latin1(text));
      assert.ok(!result.ok);
      assert.match(result.error, reason);
    });

  test('nesting is bounded', () => {
    const nested = 'Content-Type: message/rfc822\r\n\r\n'.repeat(40);
    const result = downgrade(latin1(`${nested}\r\n\xfc`));
    assert.ok(!result.ok);
    assert.match(result.error, /deeper/);
  });

  test('no input hangs or throws, and a success is 7-bit', () => {
    const piece = fc.constantFrom(
      'Content-Type: multipart/mixed; boundary=b\r\n',
      'Content-Type: message/rfc822\r\n',
      'Content-Transfer-Encoding: 8bit\r\n',
      '\r\n',
      '--b\r\n',
      '\r\n--b--\r\n',
      '\xfc',
      'x',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
        const result = downgrade(latin1(pieces.join('')));
        if (result.ok) assert.ok(isAscii(result.value));
      }),
      { numRuns: 500 },
    );
  });
});
