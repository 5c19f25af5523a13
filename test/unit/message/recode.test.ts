import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { recode, type TextEncoding, type TextEncodings } from '../../../src/mta/message/recode.ts';

const HEAD = 'From: a@from.test\r\nSubject: s\r\nMIME-Version: 1.0\r\n';
const TEXT = 'Grüße = gut\r\nzweite Zeile\r\n';
const ENCODINGS: readonly TextEncoding[] = ['quoted-printable', 'base64', '8bit'];

const both = (encoding: TextEncoding): TextEncodings => ({ text: encoding, html: encoding });
const single = (label: string, body: string, type = 'text/plain'): string =>
  `${HEAD}Content-Type: ${type}; charset=utf-8\r\nContent-Transfer-Encoding: ${label}\r\n\r\n${body}`;
const written: Readonly<Record<TextEncoding, string>> = {
  'quoted-printable': 'Gr=C3=BC=C3=9Fe =3D gut\r\nzweite Zeile\r\n',
  base64: `${Buffer.from(TEXT).toString('base64')}\r\n`,
  '8bit': TEXT,
};

const recoded = (content: string, wanted: TextEncodings): string =>
  recode(Buffer.from(content), wanted).toString();

describe('recode', () => {
  for (const from of ENCODINGS)
    for (const to of ENCODINGS)
      test(`${from} to ${to}`, () =>
        assert.equal(recoded(single(from, written[from]), both(to)), single(to, written[to])));

  test('parts, and fields of a part, without end stay as they are', () => {
    const part = 'Content-Type: text/plain\r\n\r\nx\r\n';
    const message = (parts: string): string =>
      `${HEAD}Content-Type: multipart/mixed; boundary=b\r\n\r\n${parts}--b--\r\n`;
    const many = message(`--b\r\n${part}`.repeat(10_001));
    assert.equal(recoded(many, both('base64')), many);
    const large = `--b\r\n${'a:\r\n'.repeat(70_000)}${part}`;
    assert.ok(recoded(message(`${large}--b\r\n${part}`), both('base64')).includes(large));
  });

  test('an unlabelled message gets its label and MIME-Version', () => {
    assert.equal(
      recoded('From: a@from.test\r\n\r\nplain\r\n', both('base64')),
      'From: a@from.test\r\nMIME-Version: 1.0\r\nContent-Transfer-Encoding: base64\r\n\r\ncGxhaW4NCg==\r\n',
    );
  });

  test('a text with a boundary of a multipart around it stays encoded', () => {
    const part = (type: string, label: string, body: string): string =>
      `Content-Type: ${type}\r\nContent-Transfer-Encoding: ${label}\r\n\r\n${body}`;
    const within = (boundary: string, inner: string): string =>
      `--${boundary}\r\n${inner}\r\n--${boundary}--\r\n`;
    const message = (text: string): string => {
      const inner = within('in', part('text/plain', 'base64', Buffer.from(text).toString('base64')));
      return (
        `${HEAD}Content-Type: multipart/mixed; boundary=out\r\n\r\n` +
        within('out', `Content-Type: multipart/alternative; boundary=in\r\n\r\n${inner}`)
      );
    };
    for (const boundary of ['in', 'out'])
      assert.equal(
        recoded(message(`a\r\n--${boundary}\r\nb`), both('8bit')),
        message(`a\r\n--${boundary}\r\nb`),
      );
    assert.match(recoded(message('a\r\n--other\r\nb'), both('8bit')), /\r\n--other\r\n/);
  });

  test('AMP goes with html', () => {
    const amp = (label: string, body: string): string => single(label, body, 'text/x-amp-html');
    const given = amp('quoted-printable', written['quoted-printable']);
    assert.equal(recoded(given, { text: null, html: 'base64' }), amp('base64', written.base64));
    assert.equal(recoded(given, { text: 'base64', html: null }), given);
  });

  test('text and html each have their own; attachments and other types stay', () => {
    const part = (type: string, label: string, body: string, more = ''): string =>
      `--b\r\nContent-Type: ${type}\r\n${more}Content-Transfer-Encoding: ${label}\r\n\r\n${body}\r\n`;
    const image = part('image/png', 'base64', 'iVBORw0KGgo=');
    const file = part('text/plain', '8bit', 'Anhang ü', 'Content-Disposition: attachment\r\n');
    const message = (text: string, html: string): string =>
      `${HEAD}Content-Type: multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: 8bit\r\n\r\n` +
      `${text}${html}${image}${file}--b--\r\n`;
    const html = part('text/html', '8bit', '<p>ü</p>');
    const given = message(part('text/plain', '8bit', 'ü'), html);
    assert.equal(
      recoded(given, { text: 'quoted-printable', html: null }),
      message(part('text/plain', 'quoted-printable', '=C3=BC'), html),
    );
    assert.equal(recoded(given, { text: null, html: null }), given);
  });

  test('what may not be changed stays byte for byte', () => {
    const signed = single('7bit', '--x\r\n\r\nü\r\n--x--\r\n', 'multipart/signed; boundary=x');
    const unknown = single('x-uuencode', 'begin\r\n');
    const malformed = 'From: a@from.test\r\nno field\r\n\r\nü\r\n';
    const longLine = single('base64', `${Buffer.from('x'.repeat(1000)).toString('base64')}\r\n`);
    for (const content of [signed, unknown, malformed])
      assert.equal(recoded(content, both('base64')), content);
    assert.equal(recoded(longLine, both('8bit')), longLine);
  });

  test('a multipart of 7-bit parts loses its 8bit label', () => {
    const text = (label: string, body: string): string =>
      `--b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: ${label}\r\n\r\n${body}\r\n--b--\r\n`;
    const head = `${HEAD}Content-Type: multipart/mixed; boundary=b\r\n`;
    assert.equal(
      recoded(`${head}Content-Transfer-Encoding: 8bit\r\n\r\n${text('8bit', 'ü')}`, both('quoted-printable')),
      `${head}\r\n${text('quoted-printable', '=C3=BC')}`,
    );
  });
});
