import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { decodeEncodedWords } from '../../../src/mta/message/encoded-word.ts';
import { formatAddressField, formatDate, formatField } from '../../../src/mta/message/index.ts';

/** What every field must be, whatever text went in: one field, ASCII, short lines, none of only white space. */
function assertSound(field: string, maxLine: number): void {
  assert.ok(field.endsWith('\r\n'));
  const lines = field.slice(0, -2).split('\r\n');
  for (const [i, line] of lines.entries()) {
    assert.match(line, i === 0 ? /^[!-9;-~]+:/ : /^ *[!-~]/, JSON.stringify(field));
    assert.match(line, /^[\x20-\x7e]*$/);
    if (i > 0) assert.ok(line.startsWith(' '), JSON.stringify(field));
    assert.ok(line.length <= maxLine, JSON.stringify(field));
  }
}

const valueOf = (field: string): string =>
  decodeEncodedWords(field.slice(field.indexOf(':') + 1).replaceAll('\r\n', '')).trim();

const oddText = fc
  .array(
    fc.constantFrom(
      'word',
      ' ',
      '  ',
      '\u00fc',
      '\u{1f389}',
      '\r\n',
      '\n',
      '\0',
      '=?',
      ':',
      '\t',
      'x'.repeat(80),
      'Bcc: e@v.il',
    ),
    {
      maxLength: 30,
    },
  )
  .map((pieces) => pieces.join(''));

describe('formatField', () => {
  for (const [text, expected] of [
    ['hello', 'Subject: hello\r\n'],
    ['', 'Subject: \r\n'],
    ['a\r\nBcc: b', 'Subject: a Bcc: b\r\n'],
    ['Ready for you J\u00f6rg', 'Subject: =?utf-8?Q?Ready_for_you_J=C3=B6rg?=\r\n'],
    ['\u041f\u0440\u0438\u0432\u0435\u0442', 'Subject: =?utf-8?B?0J/RgNC40LLQtdGC?=\r\n'],
    ['=?utf-8?Q?x?=', 'Subject: =?utf-8?B?PT91dGYtOD9RP3g/PQ==?=\r\n'],
    [`${'a'.repeat(60)} ${'b'.repeat(60)}`, `Subject: ${'a'.repeat(60)}\r\n ${'b'.repeat(60)}\r\n`],
    ['b'.repeat(100), `Subject: ${'b'.repeat(100)}\r\n`],
  ] as const)
    test(JSON.stringify(text.slice(0, 40)), () => assert.equal(formatField('Subject', text), expected));

  test('any text gives one sound field with that text', () => {
    fc.assert(
      fc.property(oddText, (text) => {
        const field = formatField('Subject', text);
        assertSound(field, 998);
        if (text.includes('\u00fc')) assertSound(field, 77);
        assert.equal(valueOf(field), text.replaceAll(/[\x00-\x1f\x7f]+/g, ' ').trim());
      }),
      { numRuns: 500 },
    );
  });

  test('a word without end is encoded rather than sent as a line that is too long', () => {
    assertSound(formatField('X-Long', 'y'.repeat(3000)), 77);
    assertSound(formatField('X-Long', `a ${'y'.repeat(3000)} b`), 77);
  });
});

describe('formatAddressField', () => {
  for (const [name, expected] of [
    ['', 'To: a@b.cc\r\n'],
    ['Ann B', 'To: Ann B <a@b.cc>\r\n'],
    ['B, "Ann"', 'To: "B, \\"Ann\\"" <a@b.cc>\r\n'],
    ['J\u00f6rg', 'To: =?utf-8?B?SsO2cmc=?= <a@b.cc>\r\n'],
    ['x\r\nBcc: y', 'To: "x Bcc: y" <a@b.cc>\r\n'],
  ] as const)
    test(JSON.stringify(name), () =>
      assert.equal(formatAddressField('To', [{ name, address: 'a@b.cc' }]), expected),
    );

  test('any names give one sound field', () => {
    fc.assert(
      fc.property(fc.array(oddText, { minLength: 1, maxLength: 5 }), (names) => {
        const field = formatAddressField(
          'To',
          names.map((name) => ({ name, address: 'someone@example.com' })),
        );
        assertSound(field, 998);
        assert.equal(field.split('someone@example.com').length - 1, names.length);
      }),
    );
  });
});

test('formatDate is RFC 5322 in UTC', () => {
  assert.equal(formatDate(Date.UTC(2026, 11, 31, 23, 59, 59)), 'Thu, 31 Dec 2026 23:59:59 +0000');
});

test('decodeEncodedWords joins neighbours and keeps what it cannot read', () => {
  assert.equal(decodeEncodedWords('a =?utf-8?q?b_=C3=BC?= =?UTF-8?B?w7w=?= c'), 'a b \u00fc\u00fc c');
  assert.equal(decodeEncodedWords('=?iso-8859-1?Q?=FC?='), '\u00fc');
  assert.equal(decodeEncodedWords('=?x-none?Q?a?= b =?utf-8?Q?'), '=?x-none?Q?a?= b =?utf-8?Q?');
});
