import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { prepareContent, scanHeader, type PrepareOptions } from '../../../src/mta/message/index.ts';

const options: PrepareOptions = {
  hostname: 'mta1.example.com',
  messageIdText: 'unique',
  now: Date.UTC(2026, 0, 2, 3, 4, 5),
  received: undefined,
};
const prepare = (text: string, more: Partial<PrepareOptions> = {}) =>
  prepareContent(Buffer.from(text, 'latin1'), { ...options, ...more });

function prepared(text: string, more: Partial<PrepareOptions> = {}) {
  const result = prepare(text, more);
  assert.ok(result.ok, JSON.stringify(result));
  return result.value;
}

describe('prepareContent', () => {
  test('adds what is missing at the end of the header', () => {
    const { content, messageIdHeader, bytes } = prepared('From: a@b.cc\r\nX: y\r\n\r\nbody\r\n');
    assert.equal(
      content.toString(),
      'From: a@b.cc\r\nX: y\r\nMessage-ID: <unique@mta1.example.com>\r\n' +
        'Date: Fri, 02 Jan 2026 03:04:05 +0000\r\n\r\nbody\r\n',
    );
    assert.equal(messageIdHeader, '<unique@mta1.example.com>');
    assert.equal(bytes, content.length);
  });

  test('keeps what is there, replaces what is there but empty', () => {
    const given = 'From: a@b.cc\r\nMessage-ID: <x@y>\r\nDate: then\r\n\r\n';
    assert.equal(prepared(given).content.toString(), given);
    assert.equal(prepared(given).messageIdHeader, '<x@y>');
    const empty = prepared('Message-ID: \r\nDate:\r\nFrom: a@b.cc\r\n\r\n').content.toString();
    assert.match(empty, /^From: a@b\.cc\r\nMessage-ID: <unique@[^\r]*\r\nDate: Fri[^\r]*\r\n\r\n$/);
  });

  test('takes private fields out and gives labels', () => {
    const { content, labels } = prepared(
      'X-Postrider-Campaign: spring\r\n 26\r\nFrom: a@b.cc\r\nBCC: x@y.zz\r\nReturn-Path: <q@w.ee>\r\n' +
        'x-postrider-campaign: second\r\nX-Postrider-Not-Before: 5m\r\nX-Postrider-: \r\n\r\nBcc: stays\r\n',
    );
    assert.deepEqual(
      [...labels],
      [
        ['campaign', 'spring 26'],
        ['not-before', '5m'],
      ],
    );
    assert.doesNotMatch(content.toString(), /postrider-|x@y|q@w|second/i);
    assert.match(content.toString(), /\r\n\r\nBcc: stays\r\n$/);
  });

  for (const [received, expected] of [
    [
      { helo: 'client.example', peerAddress: '192.0.2.7', protocol: 'ESMTPS', queueId: 'q1' },
      'Received: from client.example ([192.0.2.7])\r\n\tby mta1.example.com with ESMTPS id q1;\r\n\tFri, 02 Jan',
    ],
    [
      { helo: 'a\r\nEvil: (x)', peerAddress: '2001:db8::1', protocol: 'ESMTP', queueId: 'q1' },
      'Received: from a??Evil:??x? ([IPv6:2001:db8::1])\r\n\tby mta1.example.com with ESMTP id q1;\r\n\tFri',
    ],
    [
      { helo: undefined, peerAddress: '192.0.2.7', protocol: 'ESMTP', queueId: 'q1' },
      'Received: from unknown ([192.0.2.7])\r\n\tby ',
    ],
    [
      { helo: undefined, peerAddress: undefined, protocol: 'HTTP', queueId: 'q1' },
      'Received: by mta1.example.com with HTTP id q1;\r\n\tFri, 02 Jan 2026 03:04:05 +0000\r\nFrom: ',
    ],
  ] as const)
    test(`writes ${expected.slice(0, 60)}`, () => {
      const text = prepared('From: a@b.cc\r\n\r\n', { received }).content.toString();
      assert.equal(text.slice(0, expected.length), expected);
    });

  test('normalises line ends and gives a header without a body its blank line', () => {
    assert.match(prepared('From: a@b.cc\nTo: x\n\none\rtwo\n').content.toString(), /\r\n\r\none\r\ntwo\r\n$/);
    assert.match(prepared('From: a@b.cc').content.toString(), /^From: a@b\.cc\r\nMessage-ID: .*\r\n\r\n$/s);
  });

  test('takes out white space before the colon', () => {
    const text = prepared('From : a@b.cc\r\nSubject\t : x : y\r\n z : z\r\n\r\nx : y\r\n').content.toString();
    assert.match(text, /^From: a@b\.cc\r\nSubject: x : y\r\n z : z\r\nMessage-ID: .*\r\n\r\nx : y\r\n$/s);
  });

  test('reports the From domain as an A-label, 8-bit bytes and dots', () => {
    const utf8 = Buffer.from('From: M <m@M\u00dcNCHEN.de>\r\n\r\n', 'utf8').toString('latin1');
    const intl = prepared(utf8);
    assert.deepEqual([intl.fromAddress, intl.fromDomain], ['m@xn--mnchen-3ya.de', 'xn--mnchen-3ya.de']);
    assert.ok(intl.eightBit && intl.eightBitHeader);
    const body = prepared(`From: a@B.CC, d@e.ff\r\n\r\n.\xa0\r\n`);
    assert.ok(body.eightBit && !body.eightBitHeader && body.dotLine);
    assert.equal(body.fromAddress, 'a@b.cc');
    const plain = prepared('From: a@b.cc\r\n\r\nx\r\n');
    assert.ok(!plain.eightBit && !plain.eightBitHeader && !plain.dotLine);
  });

  for (const [what, text, code, enhanced, reason] of [
    ['a NUL byte', 'From: a@b.cc\r\n\r\n\0', 554, '5.6.0', /NUL/],
    ['no From', 'To: a@b.cc\r\n\r\n', 554, '5.6.0', /no From/],
    ['two From fields', 'From: a@b.cc\r\nfrom: a@b.cc\r\n\r\n', 554, '5.6.0', /more than one From/],
    ['an unquoted comma', 'From: Foo, Inc. <a@b.cc>\r\n\r\n', 554, '5.6.0', /not valid/],
    ['a From without an address', 'From: Ann\r\n\r\n', 554, '5.6.0', /not valid/],
    ['a bad second From address', 'From: a@b.cc, x@-\r\n\r\n', 554, '5.6.0', /not valid/],
    ['a group in From', 'From: g: a@b.cc;\r\n\r\n', 554, '5.6.0', /groups/],
    ['a malformed line', 'From: a@b.cc\r\nhello\r\n\r\n', 554, '5.6.0', /line 2/],
    ['an empty content', '', 554, '5.6.0', /no From/],
    ['a loop', `${'Received: x\r\n'.repeat(51)}From: a@b.cc\r\n\r\n`, 554, '5.4.6', /loop/],
    ['a huge header', `From: a@b.cc\r\nX: ${'x'.repeat(300_000)}\r\n\r\n`, 552, '5.3.4', /larger/],
    ['a header without an end', 'A: b\r\n'.repeat(60_000), 552, '5.3.4', /larger/],
  ] as const)
    test(`refuses ${what}`, () => {
      const result = prepare(text);
      assert.ok(!result.ok);
      assert.deepEqual([result.error.code, result.error.enhanced], [code, enhanced]);
      assert.match(result.error.text, reason);
    });

  test('50 Received fields are no loop, a header of exactly the limit is not too large', () => {
    prepared(`${'Received: x\r\n'.repeat(50)}From: a@b.cc\r\n\r\n`);
    const header = 'From: a@b.cc\r\n';
    prepared(`${header}\r\n${'x'.repeat(100)}`, { maxHeaderBytes: header.length });
    assert.ok(!prepare(`${header}\r\n`, { maxHeaderBytes: header.length - 1 }).ok);
  });

  test('any input gives a refusal or a sound content', () => {
    const piece = fc.constantFrom(
      'From: a@b.cc\r\n',
      'X-Postrider-A: 1\r\n',
      'Bcc: x\n',
      '\r\n',
      '\n',
      '\r',
      ' f\r\n',
      'z',
      ':',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 20 }), (pieces) => {
        const result = prepare(pieces.join(''));
        if (!result.ok) return;
        const scan = scanHeader(result.value.content);
        const names = scan.fields.map((field) => field.name);
        assert.ok(scan.blankLine && scan.malformed === undefined);
        for (const name of ['from', 'date', 'message-id'])
          assert.equal(names.filter((each) => each === name).length, 1, name);
        assert.ok(!names.includes('bcc') && !names.includes('x-postrider-a'));
      }),
    );
  });
});
