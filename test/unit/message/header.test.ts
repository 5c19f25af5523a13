import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { editHeader, fieldValue, firstField, scanHeader } from '../../../src/mta/message/index.ts';

const scan = (text: string) => scanHeader(Buffer.from(text, 'latin1'));

describe('scanHeader', () => {
  test('gives positions of fields and body', () => {
    const text = 'From: a@b.c\r\nSubject : x\r\n y\r\n\tz\r\n\r\nbody';
    const { fields, bodyStart, headerEnd, blankLine, malformed } = scan(text);
    assert.deepEqual(
      fields.map((field) => [field.name, text.slice(field.start, field.end)]),
      [
        ['from', 'From: a@b.c\r\n'],
        ['subject', 'Subject : x\r\n y\r\n\tz\r\n'],
      ],
    );
    assert.equal(text.slice(bodyStart), 'body');
    assert.equal(text.slice(headerEnd, bodyStart), '\r\n');
    assert.equal(blankLine, true);
    assert.equal(malformed, undefined);
  });

  for (const { what, text, names, body, malformed, blankLine = true } of [
    { what: 'nothing', text: '', names: [], body: '', malformed: undefined, blankLine: false },
    { what: 'only a body', text: '\r\nA: b', names: [], body: 'A: b', malformed: undefined },
    {
      what: 'no blank line',
      text: 'A: b\r\n',
      names: ['a'],
      body: '',
      malformed: undefined,
      blankLine: false,
    },
    { what: 'no line end', text: 'A: b', names: ['a'], body: '', malformed: undefined, blankLine: false },
    { what: 'bare LF', text: 'A: b\n c\n\nx', names: ['a'], body: 'x', malformed: undefined },
    {
      what: 'a line without a colon',
      text: 'A: b\r\nnope\r\nC: d\r\n\r\n',
      names: ['a', 'c'],
      body: '',
      malformed: 2,
    },
    { what: 'a continuation first', text: ' x\r\nA: b\r\n\r\n', names: ['a'], body: '', malformed: 1 },
    {
      what: 'a continuation counts as a line',
      text: 'A: b\r\n c\r\nx\r\n\r\n',
      names: ['a'],
      body: '',
      malformed: 3,
    },
    { what: 'an empty name', text: ': b\r\n\r\n', names: [], body: '', malformed: 1 },
    { what: 'a blank inside a name', text: 'A B: c\r\n\r\n', names: [], body: '', malformed: 1 },
    { what: 'an 8-bit name', text: '\xe4: c\r\n\r\n', names: [], body: '', malformed: 1 },
    { what: 'an mbox line', text: 'From a@b Mon\r\nA: b\r\n\r\n', names: ['a'], body: '', malformed: 1 },
  ])
    test(`describes ${what}`, () => {
      const found = scan(text);
      assert.deepEqual(
        found.fields.map((field) => field.name),
        names,
      );
      assert.equal(text.slice(found.bodyStart), body);
      assert.equal(found.malformed, malformed);
      assert.equal(found.blankLine, blankLine);
    });

  test('never throws, and its parts cover the input in order', () => {
    const piece = fc.constantFrom(
      'A',
      ':',
      ' ',
      '\t',
      '\r',
      '\n',
      '\r\n',
      '\x00',
      '\xff',
      'Name: v\r\n',
      '\r\n\r\n',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
        const content = Buffer.from(pieces.join(''), 'latin1');
        const found = scanHeader(content);
        let at = 0;
        for (const field of found.fields) {
          assert.ok(field.start >= at && field.valueStart > field.start && field.end >= field.valueStart);
          assert.equal(typeof fieldValue(content, field), 'string');
          at = field.end;
        }
        assert.ok(at <= found.headerEnd && found.headerEnd <= found.bodyStart);
        assert.ok(found.bodyStart <= content.length);
        assert.equal(found.blankLine, found.bodyStart > found.headerEnd);
      }),
    );
  });
});

describe('fieldValue', () => {
  const value = (text: string, encoding: BufferEncoding = 'utf8'): string => {
    const content = Buffer.from(text, encoding);
    return fieldValue(content, scanHeader(content).fields[0]!);
  };

  test('unfolds and trims', () => {
    assert.equal(value('A: \t x\r\n  y \r\n'), 'x  y');
    assert.equal(value('A:\r\n x\n y\r\n'), 'x y');
    assert.equal(value('A:'), '');
  });

  test('reads UTF-8, else Latin-1, and keeps no-break spaces', () => {
    assert.equal(value('A: gr\u00fc\u00df\r\n'), 'gr\u00fc\u00df');
    assert.equal(value('A: gr\u00fc\r\n', 'latin1'), 'gr\u00fc');
    assert.equal(value('A: \u00a0x\u00a0\r\n'), '\u00a0x\u00a0');
  });
});

test('editHeader drops and adds fields and keeps every other byte', () => {
  const content = Buffer.from('Bcc: x\r\n y\r\nA:  1\r\nBcc: z\r\nB: 2\r\n\r\nbody');
  const edited = editHeader(content, scanHeader(content), {
    drop: (name) => name === 'bcc',
    top: 'T: 0\r\n',
    bottom: 'Z: 9\r\n',
  });
  assert.equal(edited.toString(), 'T: 0\r\nA:  1\r\nB: 2\r\nZ: 9\r\n\r\nbody');
  const bare = Buffer.from('A: 1');
  assert.equal(editHeader(bare, scanHeader(bare), { drop: () => false }).toString(), 'A: 1\r\n\r\n');
  assert.equal(firstField(scanHeader(content), 'b')?.name, 'b');
});
