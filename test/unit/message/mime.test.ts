import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { scanHeader } from '../../../src/mta/message/index.ts';
import { contentTypeOf, splitMultipart } from '../../../src/mta/message/mime.ts';

describe('contentTypeOf', () => {
  const typeOf = (value: string) => {
    const content = Buffer.from(`Content-Type: ${value}\r\n\r\n`);
    const found = contentTypeOf(content, scanHeader(content));
    return found && [found.type, Object.fromEntries(found.parameters)];
  };
  for (const [value, expected] of [
    ['Text/HTML; Charset=UTF-8', ['text/html', { charset: 'UTF-8' }]],
    ['multipart/mixed;\r\n boundary="a;\\"b"', ['multipart/mixed', { boundary: 'a;"b' }]],
    ['text/plain (a;b) ; x=(c)1; x=2', ['text/plain', { x: '1' }]],
    ['text/plain; x; =y; z="', ['text/plain', { z: '' }]],
    ['text', undefined],
    ['', undefined],
  ] as const)
    test(JSON.stringify(value), () => assert.deepEqual(typeOf(value), expected));
});

describe('splitMultipart', () => {
  const split = (body: Buffer, boundary: string) =>
    splitMultipart(body, boundary, { left: { parts: 100 } }) ?? assert.fail('too many parts');
  const parts = (text: string, boundary = 'b'): readonly string[] => {
    const body = Buffer.from(text);
    return split(body, boundary).map(({ start, end }) => body.toString('utf8', start, end));
  };
  for (const [text, expected] of [
    ['pre\r\n--b\r\none\r\n--b \t\r\ntwo\r\n\r\n--b--\r\npost', ['one', 'two\r\n']],
    ['--b\r\none', ['one']],
    ['--b\r\n--b\r\n--b--', ['', '']],
    ['--b\none\n--b--\n', ['one']],
    ['--bc\r\n--b\r\nx --b\r\n--bb\r\n--b--', ['x --b\r\n--bb']],
    ['--b--\r\n--b\r\nx', []],
    ['', []],
  ] as const)
    test(JSON.stringify(text), () => assert.deepEqual(parts(text), expected));

  test('what may come is counted over all multiparts of a message', () => {
    const place = { left: { parts: 3 } };
    const two = Buffer.from('--b\n--b\n--b--');
    assert.equal(splitMultipart(two, 'b', place)?.length, 2);
    assert.equal(splitMultipart(two, 'b', place), undefined);
  });

  test('spans are in order and inside, whatever the input', () => {
    const piece = fc.constantFrom('--b', '--', '\r\n', '\n', ' ', 'x');
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
        const body = Buffer.from(pieces.join(''));
        let at = 0;
        for (const { start, end } of split(body, 'b')) {
          assert.ok(start >= at && end >= start && end <= body.length);
          at = end;
        }
      }),
    );
  });
});
