import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { formatAddressField, parseMailboxes } from '../../../src/mta/message/index.ts';

describe('parseMailboxes', () => {
  for (const [value, expected] of [
    ['a@b.c', [['', 'a@b.c']]],
    [' <a@b.c> ', [['', 'a@b.c']]],
    ['Ann B <a@b.c>', [['Ann B', 'a@b.c']]],
    ['"B, Ann \\"x\\"" <a@b.c>', [['B, Ann "x"', 'a@b.c']]],
    ['(one (two)) a@b.c (three \\) four)', [['', 'a@b.c']]],
    ['Ann (c) <(c)a@b.c(c)>', [['Ann', 'a@b.c']]],
    ['=?utf-8?Q?J=C3=B6rg?= <a@b.c>', [['=?utf-8?Q?J=C3=B6rg?=', 'a@b.c']]],
    ['J\u00f6rg <a@b.c>', [['J\u00f6rg', 'a@b.c']]],
    ['Ann B. Com <a@b.c>', [['Ann B. Com', 'a@b.c']]],
    ['me@x.org <a@b.c>', [['me@x.org', 'a@b.c']]],
    ['"a b"@c.d', [['', '"a b"@c.d']]],
    ['a . b @ c . d', [['', 'a.b@c.d']]],
    [
      'a@b.c, D <d@e.f>,, <g@h.i>',
      [
        ['', 'a@b.c'],
        ['D', 'd@e.f'],
        ['', 'g@h.i'],
      ],
    ],
    ['"<x@y.z>" <a@b.c>', [['<x@y.z>', 'a@b.c']]],
    ['{{name}} <{{recipient}}>', [['{{name}}', '{{recipient}}']]],
  ] as const)
    test(`accepts ${value}`, () => {
      const result = parseMailboxes(value);
      assert.ok(result.ok, JSON.stringify(result));
      assert.deepEqual(
        result.value.map((mailbox) => [mailbox.name, mailbox.address]),
        expected,
      );
    });

  for (const [value, reason] of [
    ['', /no address/],
    [' , ', /no address/],
    ['Group: a@b.c;', /group/],
    ['Undisclosed:;', /group/],
    ['<a@b.c', /no end/],
    ['<a@b.c> x', /text after/],
    ['<>', /empty/],
    ['a b@c.d', /white space/],
    ['"a <a@b.c>', /closing quote/],
    ['(a <a@b.c>', /parenthesis/],
    ['a) <a@b.c>', /unquoted "\)"/],
    ['<@x,@y:a@b.c>', /unexpected/],
    ['a@[192.0.2.1]', /unexpected "\["/],
    ['a\x00@b.c', /control/],
    ['<<a@b.c>>', /unexpected "<"/],
  ] as const)
    test(`refuses ${JSON.stringify(value)}`, () => {
      const result = parseMailboxes(value);
      assert.ok(!result.ok, JSON.stringify(result));
      assert.match(result.error, reason);
    });

  test('no input hangs or throws', () => {
    const piece = fc.constantFrom(
      '"',
      '\\',
      '(',
      ')',
      '<',
      '>',
      ',',
      ':',
      ';',
      '@',
      '.',
      ' ',
      'a',
      '=?',
      '\u00fc',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
        const result = parseMailboxes(pieces.join(''));
        if (!result.ok) return;
        for (const { address } of result.value)
          assert.doesNotMatch(address.replaceAll(/"(?:[^"\\]|\\.)*"/gs, 'q'), /[<>,;]|^$/);
      }),
      { numRuns: 500 },
    );
    for (const c of '"(<,\\@') assert.doesNotThrow(() => parseMailboxes(c.repeat(200_000)));
  });

  test('reads what formatAddressField writes, for ASCII names', () => {
    const name = fc
      .string({ unit: fc.constantFrom(...'ab ,"\\.<>@()'), maxLength: 30 })
      .map((text) => text.trim());
    fc.assert(
      fc.property(fc.array(name, { minLength: 1, maxLength: 4 }), (names) => {
        const mailboxes = names.map((each, i) => ({ name: each, address: `user${i}@example.com` }));
        const field = formatAddressField('To', mailboxes);
        const unfolded = field.slice('To:'.length).replaceAll('\r\n', '');
        const result = parseMailboxes(unfolded);
        assert.ok(result.ok, JSON.stringify([field, result]));
        assert.deepEqual(
          result.value.map((each) => ({ ...each, name: each.name.replace(/ +/g, ' ') })),
          mailboxes.map((each) => ({ ...each, name: each.name.replace(/ +/g, ' ') })),
        );
      }),
    );
  });
});
