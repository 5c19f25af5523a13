import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  bodyVaries,
  composeContent,
  decodeCampaign,
  encodeCampaign,
  renderContent,
  type ContentParts,
  type Variables,
} from '../../../src/mta/message/index.ts';
import { decodeEncodedWords } from '../../../src/mta/message/encoded-word.ts';
import { readMime, shapeOf, type Part } from './read-mime.ts';

const options = { hostname: 'mta1.example.com', now: Date.UTC(2026, 0, 2, 3, 4, 5), unique: 'u1' };
const base: ContentParts = { from: 'News <news@example.com>', subject: 'Hello', text: 'Hi\n' };

function compose(parts: Partial<ContentParts>) {
  const campaign = composeContent({ ...base, ...parts }, options);
  assert.ok(campaign.ok, JSON.stringify(campaign));
  return campaign.value;
}

function rendered(parts: Partial<ContentParts>, vars: Variables = {}): Part & { readonly raw: Buffer } {
  const to = { recipient: 'bob@example.org', vars, messageIdText: 'id1' };
  const campaign = compose(parts);
  const raw = renderContent(campaign, to);
  const stored = decodeCampaign(encodeCampaign(campaign));
  assert.ok(stored.ok);
  assert.deepEqual(renderContent(stored.value, to), raw);
  return { ...readMime(raw), raw };
}

const file = { filename: 'a.pdf', content_type: 'application/pdf', content: 'AAEC/w==' };
const picture = { filename: 'p.png', content_type: 'image/png', content: 'iVBO', cid: 'pic@1' };

describe('composeContent', () => {
  test('fills the header', () => {
    const { header, raw } = rendered({
      reply_to: 'Help <help@example.com>',
      headers: { 'List-Id': '<x.example.com>' },
    });
    assert.deepEqual(header, {
      from: 'News <news@example.com>',
      to: 'bob@example.org',
      'reply-to': 'Help <help@example.com>',
      subject: 'Hello',
      date: 'Fri, 02 Jan 2026 03:04:05 +0000',
      'message-id': '<id1@mta1.example.com>',
      'list-id': '<x.example.com>',
      'mime-version': '1.0',
      'content-type': 'text/plain; charset=utf-8',
      'content-transfer-encoding': '7bit',
    });
    assert.match(raw.toString(), /\r\n\r\nHi\r\n$/);
  });

  for (const [what, parts, field, message] of [
    ['addresses', { reply_to: 'a@b.cc,'.repeat(50_000) }, 'reply_to', /header would be larger/],
    ['a subject', { subject: 'x'.repeat(300_000) }, 'subject', /header would be larger/],
    ['a field', { headers: { 'X-A': 'x'.repeat(300_000) } }, 'headers.X-A', /header would be larger/],
    ['gaps', { html: '{{a}}'.repeat(10_001) }, 'html', /^line 1: there are more than 10000 variables/],
  ] as const)
    test(`refuses more ${what} than memory should hold`, () => {
      const result = composeContent({ ...base, ...parts }, options);
      assert.ok(!result.ok);
      assert.equal(result.error.field, field);
      assert.match(result.error.message, message);
    });

  test('fields with a syntax of their own have no encoded words', () => {
    const { header, raw } = rendered(
      {
        headers: {
          'List-Unsubscribe': '<https://bücher.test/{{id}}?n={{name}}>, <mailto:u@x.test?subject={{name}}>',
          'List-Help': '<https://x.test/größe?q==?x>',
          'List-Id': '{{name}} <x.test>',
          References: '{{refs}}',
          'Disposition-Notification-To': 'Grüße <a@b.cc>',
        },
      },
      { id: 7, name: 'Ann Ü', refs: '<a@x.test> <b@x.test>' },
    );
    assert.doesNotMatch(raw.toString(), /[^\x00-\x7f]/);
    assert.equal(
      header['list-unsubscribe'],
      '<https://xn--bcher-kva.test/7?n=Ann%20%C3%9C>, <mailto:u@x.test?subject=Ann%20%C3%9C>',
    );
    assert.equal(header['list-help'], '<https://x.test/gr%C3%B6%C3%9Fe?q==?x>');
    assert.equal(header['list-id'], 'Ann %C3%9C <x.test>');
    assert.equal(header['references'], '<a@x.test> <b@x.test>');
    assert.match(header['disposition-notification-to']!, /^=\?utf-8\?.* <a@b\.cc>$/);
    const refused = composeContent({ ...base, headers: { References: '<ü@x.test>' } }, options);
    assert.deepEqual(refused, {
      ok: false,
      error: { field: 'headers.References', message: 'characters beyond ASCII may not stand here' },
    });
  });

  for (const [what, parts, shape] of [
    ['text', {}, 'plain'],
    ['html', { text: undefined, html: '<p>' }, 'html'],
    ['both', { html: '<p>' }, 'alternative(plain,html)'],
    [
      'an inline file',
      { html: '<img src="cid:pic@1">', attachments: [picture] },
      'alternative(plain,related(html,png))',
    ],
    ['AMP beside text', { amp: '<html amp4email>' }, 'alternative(plain,x-amp-html)'],
    ['AMP beside html', { text: undefined, amp: '<b>', html: '<p>' }, 'alternative(x-amp-html,html)'],
    [
      'AMP between text and html with files',
      { amp: '<html amp4email>', html: '<p>', attachments: [file, picture] },
      'mixed(alternative(plain,x-amp-html,related(html,png)),pdf)',
    ],
    ['a file', { attachments: [file] }, 'mixed(plain,pdf)'],
    ['all', { html: '<p>', attachments: [file, picture] }, 'mixed(alternative(plain,related(html,png)),pdf)'],
    ['an inline file without html', { attachments: [picture] }, 'mixed(plain,png)'],
  ] as const)
    test(`${what}: ${shape}`, () => assert.equal(shapeOf(rendered(parts as Partial<ContentParts>)), shape));

  test('files keep their bytes and names', () => {
    const name = '\u041f\u0440\u0430\u0439\u0441 "2026".pdf';
    const part = rendered({ attachments: [{ ...file, filename: name }, file] }).children[1]!;
    assert.deepEqual([...part.bytes], [0, 1, 2, 255]);
    const pieces = [...part.header['content-disposition']!.matchAll(/filename\*(?:\d+\*)?=([^;]*)/g)].map(
      (m) => m[1],
    );
    assert.equal(decodeURIComponent(pieces.join('').replace("utf-8''", '')), name);
    assert.equal(
      readMime(rendered({ attachments: [file] }).raw).children[1]!.header['content-disposition'],
      'attachment; filename="a.pdf"',
    );
  });

  for (const [what, text, encoding] of [
    ['ASCII', 'plain\n', '7bit'],
    ['a few accents', 'Gr\u00fc\u00dfe aus M\u00fcnchen an alle unsere Kunden\n', 'quoted-printable'],
    ['Cyrillic', '\u041f\u0440\u0438\u0432\u0435\u0442\n', 'base64'],
    ['a line too long', 'x'.repeat(1200), 'quoted-printable'],
    ['a NUL', 'a\0b', 'quoted-printable'],
    ['something like a boundary', '--=_u1_1\n', 'quoted-printable'],
    ['ASCII with a variable', 'Hi {{name}}\n', 'quoted-printable'],
    ['Cyrillic with a variable', '\u041f\u0440\u0438\u0432\u0435\u0442, {{name}}', 'base64'],
  ] as const)
    test(`${what} is sent as ${encoding}`, () => {
      const part = rendered({ text }, { name: 'Bob' });
      assert.equal(part.header['content-transfer-encoding'], encoding);
      const expected = text.replace('{{name}}', 'Bob').replace(/\n?$/, '\n').replaceAll('\n', '\r\n');
      assert.equal(part.bytes.toString(), expected);
    });

  test('variables stand in headers, html and text, escaped for each', () => {
    const vars = { name: 'Ann <b> & \u00dc', x: 'a\r\nBcc: v@example.net' };
    const part = rendered(
      {
        from: '"{{x}}" <news@example.com>',
        to: '{{ name }} <{{ recipient }}>',
        subject: 'For {{name}} {{x}}',
        text: 'T {{name}} {{x}}',
        amp: '<b>{{name}}</b>',
        html: '<p>{{name}}</p>',
        headers: { 'X-Var': '{{x}}' },
      },
      vars,
    );
    assert.equal(part.header['from'], '"a Bcc: v@example.net" <news@example.com>');
    assert.equal(decodeEncodedWords(part.header['to']!), 'Ann <b> & \u00dc <bob@example.org>');
    assert.equal(decodeEncodedWords(part.header['subject']!), 'For Ann <b> & \u00dc a Bcc: v@example.net');
    assert.equal(part.header['x-var'], 'a Bcc: v@example.net');
    assert.ok(!('bcc' in part.header));
    assert.equal(part.children[0]!.bytes.toString(), 'T Ann <b> & \u00dc a\r\nBcc: v@example.net\r\n');
    assert.equal(part.children[1]!.header['content-type'], 'text/x-amp-html; charset=utf-8');
    assert.equal(part.children[1]!.bytes.toString(), '<b>Ann &lt;b&gt; &amp; \u00dc</b>\r\n');
    assert.equal(part.children[2]!.bytes.toString(), '<p>Ann &lt;b&gt; &amp; \u00dc</p>\r\n');
  });

  test('a variable address that is none gives way', () => {
    const parts = { to: '{{name}} <{{address}}>', reply_to: '<{{address}}>' };
    assert.equal(rendered(parts, { address: 'x@y>, <z@w.vv', name: 'n' }).header['to'], 'bob@example.org');
    assert.ok(!('reply-to' in rendered(parts, { address: 'nope' }).header));
    assert.equal(rendered(parts, { address: 'q@example.net' }).header['reply-to'], 'q@example.net');
  });

  test('the built-in recipient can not be replaced by a variable', () => {
    assert.equal(rendered({}, { recipient: 'other@example.net' }).header['to'], 'bob@example.org');
  });

  test('tells whether bodies vary', () => {
    assert.equal(bodyVaries(compose({ subject: '{{x}}' })), false);
    assert.equal(bodyVaries(compose({ html: '{{x}}' })), true);
    assert.deepEqual(
      [
        compose({ from: 'N <n@M\u00fcnchen.de>' }).fromAddress,
        compose({ from: 'N <n@M\u00fcnchen.de>' }).fromDomain,
      ],
      ['n@xn--mnchen-3ya.de', 'xn--mnchen-3ya.de'],
    );
  });

  for (const [field, parts, reason] of [
    ['from', { from: 'nobody' }, /local@domain/],
    ['from', { from: '<{{x}}@example.com>' }, /variables/],
    ['from', { from: 'a@b.cc, d@e.ff' }, /more than one/],
    ['to', { to: 'Group: a@b.cc;' }, /groups/],
    ['reply_to', { reply_to: 'x@' }, /valid/],
    ['subject', { subject: 'x {{#if}}' }, /line 1: only/],
    ['html', { text: undefined }, /needed/],
    ['html', { text: undefined, amp: '<b>' }, /beside amp/],
    ['amp', { amp: '<b>\n{{#if}}' }, /line 2/],
    ['html', { html: 'a\n{{{b}}}' }, /line 2/],
    ['text', { text: '{{' }, /line 1/],
    ['headers.Bcc', { headers: { Bcc: 'x@y.zz' } }, /can not be set/],
    ['headers.Content-Type', { headers: { 'Content-Type': 'x/y' } }, /can not be set/],
    ['headers.A B', { headers: { 'A B': 'x' } }, /not a header field name/],
    ['headers.A\r\nB', { headers: { 'A\r\nB': 'x' } }, /not a header field name/],
    ['attachments[1].content', { attachments: [file, { ...file, content: 'A*B' }] }, /base64/],
    ['attachments[0].content', { attachments: [{ ...file, content: 'AA=A' }] }, /base64/],
    ['attachments[0].content_type', { attachments: [{ ...file, content_type: 'pdf\r\nX: y' }] }, /type/],
    ['attachments[0].content_type', { attachments: [{ ...file, content_type: 'message/rfc822' }] }, /base64/],
    ['attachments[0].filename', { attachments: [{ ...file, filename: 'a\r\nb' }] }, /characters/],
    ['attachments[0].cid', { attachments: [{ ...picture, cid: 'a>\r\n' }] }, /letters/],
  ] as const)
    test(`refuses ${field} ${JSON.stringify(parts).slice(0, 60)}`, () => {
      const result = composeContent({ ...base, ...(parts as Partial<ContentParts>) }, options);
      assert.ok(!result.ok);
      assert.equal(result.error.field, field);
      assert.match(result.error.message, reason);
    });

  test('any variables give a message with the same header fields, short lines, and their text', () => {
    const odd = fc
      .array(
        fc.constantFrom(
          'a',
          ' ',
          '=',
          '\r',
          '\r\n',
          '\n',
          '.',
          '\u00fc',
          '\u{1f389}',
          '\0',
          '-'.repeat(70),
          'Bcc: x',
        ),
        { maxLength: 12 },
      )
      .map((pieces) => pieces.join(''));
    const names = Object.keys(rendered({ subject: '{{a}}', text: '{{a}}' }, { a: 'x' }).header);
    fc.assert(
      fc.property(odd, odd, (a, b) => {
        const text = `start {{a}}{{b}} middle =\u00e4 {{a}}\n{{b}}. ${'end '.repeat(30)}`;
        const part = rendered({ from: '{{a}} <n@example.com>', subject: '{{a}}{{b}}', text }, { a, b });
        assert.deepEqual(Object.keys(part.header), names);
        const lines = (value: string): string => value.replaceAll(/\r\n?|\n/g, '\r\n');
        const expected = text
          .replaceAll('{{a}}', lines(a))
          .replaceAll('{{b}}', lines(b))
          .replaceAll(/(?<!\r)\n/g, '\r\n');
        assert.equal(part.bytes.toString(), `${expected}\r\n`);
      }),
    );
  });
});

test('decodeCampaign refuses what it did not write', () => {
  const stored = encodeCampaign(compose({ html: '{{x}}' }));
  assert.ok(!decodeCampaign(Buffer.from('nonsense')).ok);
  assert.ok(!decodeCampaign(stored.subarray(0, stored.length - 1)).ok);
  assert.ok(!decodeCampaign(Buffer.concat([stored, Buffer.from('x')])).ok);
  const damaged = Buffer.from(stored);
  damaged[9] = 0;
  assert.ok(!decodeCampaign(damaged).ok);
});
