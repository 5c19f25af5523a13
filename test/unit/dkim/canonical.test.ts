import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { bodyHash, relaxField } from '../../../src/mta/dkim/canonical.ts';
import { scanHeader } from '../../../src/mta/message/index.ts';

const sha256 = (text: string): string =>
  createHash('sha256').update(Buffer.from(text, 'latin1')).digest('base64');
const hashOf = (body: string): string => bodyHash(Buffer.from(`A: b\r\n\r\n${body}`, 'latin1'), 8);

/** RFC 6376 §3.4.4 word for word, with regular expressions. */
function relaxed(body: string): string {
  let text = body.replaceAll(/[ \t]+(?=\r\n|$)/g, '').replaceAll(/[ \t]+/g, ' ');
  text = text.replace(/(?:\r\n)+$/, '');
  return text === '' ? '' : `${text}\r\n`;
}

describe('bodyHash', () => {
  for (const [body, canonical] of [
    ['', ''],
    ['\r\n', ''],
    ['\r\n\r\n', ''],
    [' \r\n\t', ''],
    [' C \r\nD \t E\r\n\r\n\r\n', ' C\r\nD E\r\n'],
    ['a', 'a\r\n'],
    ['a ', 'a\r\n'],
    ['a\tb\r\n', 'a b\r\n'],
    ['\r\n\r\na\r\n', '\r\n\r\na\r\n'],
    ['a\xa0\xa0 \xa0\r\n', 'a\xa0\xa0 \xa0\r\n'],
    ['a\r\n\xa0\r\n', 'a\r\n\xa0\r\n'],
  ] as const)
    test(JSON.stringify(body), () => assert.equal(hashOf(body), sha256(canonical)));

  test('is the hash of an empty input for an empty body (RFC 6376 §3.4.4)', () => {
    assert.equal(hashOf(''), '47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=');
  });

  test('agrees with the words of the RFC on any body', () => {
    const piece = fc.constantFrom(' ', '\t', '  ', 'a', 'bc', '\r\n', '\xa0', '\x0b', '\x00');
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 60 }), (pieces) => {
        const body = pieces.join('');
        assert.equal(hashOf(body), sha256(relaxed(body)));
      }),
      { numRuns: 1000 },
    );
  });

  test('does not care how large a body is', () => {
    for (const size of [262_142, 262_143, 262_144, 262_145, 600_000]) {
      const body = `a  b${'x'.repeat(size - 4)}`;
      assert.equal(hashOf(body), sha256(relaxed(body)), `${size} bytes`);
    }
  });
});

describe('relaxField', () => {
  const relax = (text: string): string => {
    const content = Buffer.from(text, 'latin1');
    const out = Buffer.alloc(content.length + 2, '#');
    const end = relaxField(content, scanHeader(content).fields[0]!, out, 0);
    return out.toString('latin1', 0, end);
  };
  for (const [text, expected] of [
    ['A: X\r\n', 'a:X\r\n'],
    ['B : Y\t\r\n\tZ  \r\n', 'b:Y Z\r\n'],
    ['Sub:\r\n x\r\n  y\r\n', 'sub:x y\r\n'],
    ['Sub:\r\n', 'sub:\r\n'],
    ['Sub: \t \r\n \r\n', 'sub:\r\n'],
    ['S:a', 's:a\r\n'],
    ['S: \xa0 a\xa0 \r\n', 's:\xa0 a\xa0\r\n'],
    ['S: a\x0bb \x0c\r\n', 's:a\x0bb \x0c\r\n'],
  ] as const)
    test(JSON.stringify(text), () => assert.equal(relax(text), expected));
});
