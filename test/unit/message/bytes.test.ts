import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { checkBytes, checkedLines, normaliseLineEnds, stuffDots } from '../../../src/mta/message/index.ts';

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');
/** Bytes that make line ends and dots likely. */
const oddBytes = fc
  .array(fc.constantFrom('\r', '\n', '\r\n', '.', 'x', ' ', '\x00', '\xa0', '\r\n.\r\n'), { maxLength: 60 })
  .map((pieces) => bytes(pieces.join('')));

describe('checkBytes', () => {
  const clean = { bareCr: false, bareLf: false, nul: false, eightBit: false, longestLine: 0, dotLine: false };
  for (const [text, expected] of [
    ['', clean],
    ['ab\r\nc\r\n', { ...clean, longestLine: 2 }],
    ['a\r\nabc', { ...clean, longestLine: 3 }],
    ['a\nb\r\n', { ...clean, bareLf: true, longestLine: 1 }],
    ['\n', { ...clean, bareLf: true }],
    ['a\rb', { ...clean, bareCr: true, longestLine: 3 }],
    ['\r', { ...clean, bareCr: true, longestLine: 1 }],
    ['\r\r\n', { ...clean, bareCr: true, longestLine: 1 }],
    ['\r\n\n', { ...clean, bareLf: true }],
    ['\0', { ...clean, nul: true, longestLine: 1 }],
    ['\xa0', { ...clean, eightBit: true, longestLine: 1 }],
    ['.', { ...clean, dotLine: true, longestLine: 1 }],
    ['a\r\n.', { ...clean, dotLine: true, longestLine: 1 }],
    ['a.\r\n', { ...clean, longestLine: 2 }],
  ] as const)
    test(JSON.stringify(text), () => assert.deepEqual(checkBytes(bytes(text)), expected));

  test('agrees with regular expressions on any input', () => {
    fc.assert(
      fc.property(oddBytes, fc.nat(3), (given, shift) => {
        // Anywhere in memory: words are read where they are aligned.
        const content = Buffer.concat([Buffer.alloc(shift), given]).subarray(shift);
        const text = content.toString('latin1');
        const lines = text
          .split('\n')
          .map((line, i, all) => (i < all.length - 1 ? line.replace(/\r$/, '') : line));
        assert.deepEqual(checkBytes(content), {
          bareCr: /\r(?!\n)/.test(text),
          bareLf: /(?<!\r)\n/.test(text),
          nul: text.includes('\0'),
          eightBit: /[\x80-\xff]/.test(text),
          longestLine: Math.max(...lines.map((line) => line.length)),
          dotLine: /(?:^|\n)\./.test(text),
        });
      }),
    );
  });

  test('is the same where the lines are known', () => {
    fc.assert(
      fc.property(oddBytes, (given) => {
        const content = normaliseLineEnds(given);
        const { longestLine: _, ...expected } = checkBytes(content);
        assert.deepEqual(checkedLines(content, expected), expected);
      }),
    );
  });
});

describe('normaliseLineEnds', () => {
  test('repairs every kind of bare line end', () => {
    for (const [text, expected] of [
      ['a\nb', 'a\r\nb'],
      ['a\rb\r', 'a\r\nb\r\n'],
      ['\n\r', '\r\n\r\n'],
      ['\r\r\n\n', '\r\n\r\n\r\n'],
    ] as const)
      assert.equal(normaliseLineEnds(bytes(text)).toString('latin1'), expected);
  });

  test('returns the same buffer when clean, and its result is clean', () => {
    const clean = bytes('a\r\n\r\nb');
    assert.equal(normaliseLineEnds(clean), clean);
    fc.assert(
      fc.property(oddBytes, (content) => {
        const result = normaliseLineEnds(content);
        const check = checkBytes(result);
        assert.ok(!check.bareCr && !check.bareLf);
        assert.equal(result.toString('latin1'), content.toString('latin1').replace(/\r\n|\r|\n/g, '\r\n'));
      }),
    );
  });
});

describe('stuffDots', () => {
  const unstuff = (text: string): string => text.replace(/(^|\r\n)\./g, '$1');
  const joined = (parts: readonly Buffer[]): string => Buffer.concat(parts).toString('latin1');

  for (const [parts, expected] of [
    [['.a\r\n'], '..a\r\n'],
    [['a\r\n.\r\n'], 'a\r\n..\r\n'],
    [['a\r\n', '.b\r\n'], 'a\r\n..b\r\n'],
    [['a\r', '\n.b\r\n'], 'a\r\n..b\r\n'],
    [['a\r', '\n', '.b\r\n'], 'a\r\n..b\r\n'],
    [['a', '', '.b'], 'a.b\r\n'],
    [['a\r\n', '', '.'], 'a\r\n..\r\n'],
    [['..\r\n'], '...\r\n'],
    [['a\n.b\r\n'], 'a\n.b\r\n'],
    [['\r\n.\r\n.\r\n'], '\r\n..\r\n..\r\n'],
    [[], '\r\n'],
    [['', ''], '\r\n'],
    [['a\r'], 'a\r\r\n'],
  ] as const)
    test(JSON.stringify(parts), () => assert.equal(joined(stuffDots(parts.map(bytes))), expected));

  test('returns its input when there is nothing to do', () => {
    const parts = [bytes('a.\r\n'), bytes('b\r\n')];
    assert.equal(stuffDots(parts), parts);
  });

  test('can be undone, ends with CRLF, and never holds the terminator, however the content is cut', () => {
    fc.assert(
      fc.property(fc.array(oddBytes, { minLength: 1, maxLength: 5 }), (parts) => {
        const plain = joined(parts);
        const stuffed = joined(stuffDots(parts));
        assert.ok(stuffed.endsWith('\r\n'));
        assert.ok(!`\r\n${stuffed}`.includes('\r\n.\r\n'));
        const complete = plain !== '' && plain.endsWith('\r\n') ? plain : `${plain}\r\n`;
        assert.equal(unstuff(stuffed), complete);
        assert.equal(stuffed, joined(stuffDots([bytes(plain)])));
      }),
    );
  });
});
