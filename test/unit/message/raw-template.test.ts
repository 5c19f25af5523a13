import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { bodyVaries, compileRaw, renderContent, type Variables } from '../../../src/mta/message/index.ts';
import { decodeEncodedWords } from '../../../src/mta/message/encoded-word.ts';
import { readMime, shapeOf } from './read-mime.ts';

const options = { hostname: 'mta1.example.com', now: Date.UTC(2026, 0, 2, 3, 4, 5), unique: 'u1' };
const MULTIPART = 'From: a@b.cc\nContent-Type: multipart/mixed; boundary=b\n\n';
const compile = (text: string) => compileRaw(Buffer.from(text), options);

function rendered(text: string, vars: Variables = {}) {
  const campaign = compile(text);
  assert.ok(campaign.ok, JSON.stringify(campaign));
  const raw = renderContent(campaign.value, { recipient: 'bob@example.org', vars, messageIdText: 'id1' });
  return { campaign: campaign.value, raw: raw.toString(), part: readMime(raw) };
}

describe('compileRaw', () => {
  test('keeps a content without variables, with its own Message-ID for each recipient', () => {
    const { raw, campaign } = rendered(
      'From: a@b.cc\nTo:  x@y.zz\nMessage-ID: <same@for.all>\nBcc: q@w.ee\nX-Postrider-Band: geo\nDate: then\n\nbody \n',
    );
    assert.equal(
      raw,
      'From: a@b.cc\r\nTo:  x@y.zz\r\nDate: then\r\nMessage-ID: <id1@mta1.example.com>\r\n\r\nbody \r\n',
    );
    assert.equal(bodyVaries(campaign), false);
    assert.deepEqual([campaign.fromAddress, campaign.fromDomain], ['a@b.cc', 'b.cc']);
  });

  test('renders fields and the text, adds To, Date and MIME fields', () => {
    const { part } = rendered(
      'From: "{{brand}}" <a@b.cc>\nSubject: =?utf-8?Q?F=C3=BCr_{{name}}?=\n\nHi {{name}} {{x}}\n',
      {
        brand: 'B, C',
        name: '\u00dc\r\nBcc: v',
        x: '<',
      },
    );
    assert.equal(part.header['from'], '"B, C" <a@b.cc>');
    assert.equal(decodeEncodedWords(part.header['subject']!), 'F\u00fcr \u00dc Bcc: v');
    assert.equal(part.header['to'], 'bob@example.org');
    assert.equal(part.header['date'], 'Fri, 02 Jan 2026 03:04:05 +0000');
    assert.equal(part.header['mime-version'], '1.0');
    assert.equal(part.bytes.toString(), 'Hi \u00dc\r\nBcc: v <\r\n');
  });

  test('fields beyond ASCII go out in encoded words and A-labels, but for a local part', () => {
    const { raw, part } = rendered(
      [
        'From: Grüße =?utf-8?Q?=2C=C3=BC?= <a@bücher.test>',
        'To: you@to.test',
        'Subject: Grüße =?utf-8?Q?=C3=BC?= {x}',
        'Reply-To: имя@пример.test',
        'List-Unsubscribe: <https://bücher.test/ü?a=b>, <mailto:имя@x.test>',
        'List-Id: "Grüße, alle" <list.x.test>',
        'Disposition-Notification-To: Grüße <a@b.cc>',
        'X-Plain:   =?utf-8?Q?=41?=',
        '',
        'text',
      ].join('\n'),
    );
    const { header } = part;
    assert.equal(decodeEncodedWords(header['from']!), 'Grüße ,ü <a@xn--bcher-kva.test>');
    assert.equal(decodeEncodedWords(header['subject']!), 'Grüße ü {x}');
    const utf8 = (name: string): string => Buffer.from(header[name]!, 'latin1').toString();
    assert.equal(utf8('reply-to'), 'имя@xn--e1afmkfd.test');
    assert.equal(
      header['list-unsubscribe'],
      '<https://xn--bcher-kva.test/%C3%BC?a=b>, <mailto:%D0%B8%D0%BC%D1%8F@x.test>',
    );
    assert.equal(decodeEncodedWords(header['list-id']!), 'Grüße, alle <list.x.test>');
    assert.match(header['disposition-notification-to']!, /^=\?utf-8\?.* <a@b\.cc>$/);
    assert.match(raw, /\r\nX-Plain: {3}=\?utf-8\?Q\?=41\?=\r\n/);
    assert.doesNotMatch(`${header['from']}${header['subject']}`, /[^\x00-\x7f]/);
  });

  test('decodes text parts, escapes in html, leaves other parts alone', () => {
    const { part, raw } = rendered(
      [
        'From: a@b.cc',
        'MIME-Version: 1.0',
        'Content-Type: multipart/mixed; boundary=b',
        '',
        'preamble',
        '--b',
        'Content-Type: text/html; charset="UTF-8"',
        'Content-Transfer-Encoding: quoted-printable',
        '',
        '<p class=3D"x">{=',
        '{name}}=C3=BC</p>',
        '--b',
        'Content-Type: text/plain; charset=utf-8',
        'Content-Transfer-Encoding: base64',
        'Content-Language: en',
        '',
        Buffer.from('T {{name}}').toString('base64'),
        '--b',
        'Content-Type: application/json',
        '',
        '{"a": "{{name}}"}',
        '--b',
        'Content-Type: text/x-amp-html; charset=utf-8',
        '',
        '<p>{{name}}</p>',
        '--b--',
        '',
      ].join('\r\n'),
      { name: '<&>' },
    );
    assert.equal(shapeOf(part), 'mixed(html,plain,json,x-amp-html)');
    assert.equal(part.children[0]!.bytes.toString(), '<p class="x">&lt;&amp;&gt;\u00fc</p>\r\n');
    assert.equal(part.children[1]!.bytes.toString(), 'T <&>\r\n');
    assert.equal(part.children[1]!.header['content-language'], 'en');
    assert.equal(part.children[2]!.bytes.toString(), '{"a": "{{name}}"}');
    assert.equal(part.children[3]!.bytes.toString().trim(), '<p>&lt;&amp;&gt;</p>');
    assert.match(raw, /\r\npreamble\r\n--b\r\n/);
  });

  test('fields of parts go out in ASCII, whatever stands in the part', () => {
    const { part, raw } = rendered(
      [
        'From: a@b.cc',
        'MIME-Version: 1.0',
        'Content-Type: multipart/mixed; boundary=b',
        'Content-Description: Grüße',
        '',
        '--b',
        'Content-Type: text/plain; charset=utf-8; name="größe.txt"',
        'Content-Disposition: inline; filename="größe.txt"',
        '',
        'Hi {{name}}',
        '--b',
        'Content-Type: application/pdf; name="Прайс.pdf"',
        'Content-Description: Прайс',
        'Content-Disposition: attachment; filename="Прайс.pdf"; filename*=utf-8\'\'%D0%9F.pdf; size=4',
        'X-Note: Прайс',
        'Content-ID: <p@x.test>',
        'Content-Transfer-Encoding: base64',
        '',
        'AAEC',
        '--b--',
        '',
      ].join('\r\n'),
      { name: 'Bob' },
    );
    assert.doesNotMatch(raw, /[^\x00-\x7f]/);
    const [text, pdf] = part.children.map(({ header }) => header);
    const flat = (value: string | undefined): string | undefined => value?.replaceAll(/\s+/g, ' ');
    assert.equal(decodeEncodedWords(part.header['content-description']!), 'Grüße');
    assert.equal(flat(text!['content-type']), "text/plain; charset=utf-8; name*=utf-8''gr%C3%B6%C3%9Fe.txt");
    assert.equal(flat(text!['content-disposition']), "inline; filename*=utf-8''gr%C3%B6%C3%9Fe.txt");
    assert.equal(
      flat(pdf!['content-type']),
      "application/pdf; name*=utf-8''%D0%9F%D1%80%D0%B0%D0%B9%D1%81.pdf",
    );
    assert.equal(decodeEncodedWords(pdf!['content-description']!), 'Прайс');
    assert.equal(decodeEncodedWords(pdf!['x-note']!), 'Прайс');
    assert.equal(
      flat(pdf!['content-disposition']),
      'attachment; filename*=utf-8\'\'%D0%9F.pdf; size="4"',
      'the form that is there already',
    );
    assert.match(raw, /\r\nContent-ID: <p@x\.test>\r\nContent-Transfer-Encoding: base64\r\n\r\nAAEC\r\n/);
  });

  test('a signed part without variables stays byte for byte', () => {
    const body = '--s\r\nContent-Disposition: inline; filename="ü"\r\n\r\nHi\r\n--s--\r\n';
    const { raw } = rendered(`From: a@b.cc\r\nContent-Type: multipart/signed; boundary=s\r\n\r\n${body}`);
    assert.ok(raw.endsWith(`\r\n\r\n${body}`), raw);
  });

  test('what a type says besides its charset stays', () => {
    const type =
      'text/calendar; method=REQUEST; Charset=UTF-8; name="a \\"b;c.ics"; x*=utf-8\'\'%C3%BC; y="ü"';
    const { part } = rendered(`From: a@b.cc\nContent-Type: ${type}\n\nBEGIN {{v}}\n`);
    assert.equal(
      part.header['content-type']?.replaceAll(/\s+/g, ' '),
      'text/calendar; charset=utf-8; method="REQUEST"; name="a \\"b;c.ics"; x*=utf-8\'\'%C3%BC; y*=utf-8\'\'%C3%BC',
    );
  });

  for (const [place, text, value] of [
    ['after a text', 'Hi {{v}}', 'x\r\n--b\r\nContent-Type: text/html\r\n\r\n<b>\r\n--outer--\r\n'],
    ['at the beginning of a line', '{{v}}', '--b'],
    ['after a dash', '-{{v}}', '-b'],
    ['before a text that goes on', '{{v}}b', '--'],
    ['where a line is broken', `${'a'.repeat(74)}{{v}}`, '--b'],
    ['where the fixed text is broken', `${'a'.repeat(75)}--b\n{{v}}`, ''],
  ] as const)
    test(`a value makes no part of the message: ${place}`, () => {
      const { part } = rendered(
        [
          'From: a@b.cc\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=outer\n\n--outer',
          'Content-Type: multipart/alternative; boundary=b\n\n--b',
          `Content-Type: text/plain; charset=utf-8\n\n${text}`,
          '--b--\n--outer\nContent-Type: application/json\n\n{}\n--outer--\n',
        ].join('\n'),
        { v: value },
      );
      assert.equal(shapeOf(part), 'mixed(alternative(plain),json)');
      const wanted = `${text.replace('{{v}}', value).replaceAll(/\r?\n/g, '\r\n')}\r\n`;
      assert.equal(part.children[0]!.children[0]!.bytes.toString(), wanted);
    });

  for (const [what, text, reason] of [
    ['no From', 'To: a@b.cc\n\n', /no From/],
    ['a variable From address', 'From: <{{x}}@b.cc>\n\n', /variables/],
    ['an unknown construct in the subject', 'From: a@b.cc\nSubject: {{#if}}\n\n', /Subject: line 1/],
    ['an unknown construct in the body', 'From: a@b.cc\n\na\n{{{x}}}\n', /text\/plain part, line 2/],
    [
      'parts without end',
      `${MULTIPART}${'--b\n\n'.repeat(10_001)}--b--\n`,
      /^there are more than 10000 parts/,
    ],
    [
      'parts of parts without end',
      `${MULTIPART}${`--b\nContent-Type: multipart/mixed; boundary=c\n\n${'--c\n\n'.repeat(1_000)}--c--\n`.repeat(10)}--b--\n`,
      /^there are more than 10000 parts/,
    ],
    [
      'variables without end',
      `${MULTIPART}${`--b\n\n${'{{a}}'.repeat(9_000)}\n`.repeat(3)}--b--\n`,
      /^there are more than 20000 variables/,
    ],
    ['a header of a part without end', `${MULTIPART}--b\n${'a:\n'.repeat(100_000)}`, /header of a part/],
    ['References beyond ASCII', 'From: a@b.cc\nReferences: <ü@x.test>\n\n', /^References: .*ASCII/],
    ['a Cc beyond ASCII that is none', 'From: a@b.cc\nCc: ü, <c@x.test>\n\n', /^Cc: an address/],
    ['a List-Help beside its URI', 'From: a@b.cc\nList-Help: <https://x.test> (ü)\n\n', /^List-Help: /],
    ['a Content-ID beyond ASCII', 'From: a@b.cc\nContent-ID: <ü@x.test>\n\n', /^Content-ID: .*ASCII/],
    [
      'a boundary beyond ASCII',
      'From: a@b.cc\nContent-Type: multipart/mixed; boundary="ü"\n\n',
      /^Content-Type: .*ASCII/,
    ],
    ['variables in a content field', 'From: a@b.cc\nContent-Type: {{t}}\n\n', /content-type/],
    [
      'another charset with variables',
      'From: a@b.cc\nContent-Type: text/plain; charset=koi8-r\n\n{{x}}',
      /UTF-8/,
    ],
  ] as const)
    test(`refuses ${what}`, () => {
      const result = compile(text);
      assert.ok(!result.ok);
      assert.equal(result.error.field, 'content');
      assert.match(result.error.message, reason);
    });

  test('no input hangs or throws, and variables add no header field', () => {
    const piece = fc.constantFrom(
      'Subject: {{v}}\n',
      'To: {{v}} <{{recipient}}>\n',
      'Content-Type: multipart/mixed; boundary=b\n',
      'Content-Transfer-Encoding: quoted-printable\n',
      '\n',
      '--b\n',
      '{{v}}',
      ' =3D ',
    );
    const value = fc.string({
      unit: fc.constantFrom('\r', '\n', 'Bcc: x', ' ', '"', '<', '\u00fc'),
      maxLength: 8,
    });
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 15 }), value, (pieces, v) => {
        const result = compile(`From: a@b.cc\n${pieces.join('')}`);
        if (!result.ok) return;
        const raw = renderContent(result.value, {
          recipient: 'r@b.cc',
          vars: { v },
          messageIdText: 'i',
        }).toString();
        assert.doesNotMatch(raw.slice(0, raw.indexOf('\r\n\r\n')), /\nBcc|\n\n|[^\r]\n/);
      }),
    );
  });
});
