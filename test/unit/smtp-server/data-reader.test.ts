import { describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { checkBytes } from '../../../src/mta/message/index.ts';
import { Budget, Content } from '../../../src/mta/smtp/server/content.ts';
import { DataReader } from '../../../src/mta/smtp/server/data-reader.ts';

interface Outcome {
  readonly content: string;
  readonly bare: boolean;
  /** Bytes consumed up to and with the end, or -1. */
  readonly end: number;
}

/** Feeds the bytes in chunks cut at the given places. */
function read(text: string, cuts: readonly number[] = []): Outcome {
  const content = new Content(1e6, new Budget(1e7));
  const reader = new DataReader(content);
  const bytes = Buffer.from(text, 'latin1');
  const edges = [0, ...cuts, bytes.length];
  for (let i = 1; i < edges.length; i++) {
    // A copy at an odd offset, so that words of four bytes never line up by chance.
    const chunk = Buffer.concat([Buffer.alloc(i % 5), bytes.subarray(edges[i - 1], edges[i])]).subarray(
      i % 5,
    );
    const next = reader.read(chunk, 0);
    if (next < 0) continue;
    const taken = content.take();
    checkLines(taken, reader);
    return { content: taken.toString('latin1'), bare: reader.bare, end: edges[i - 1]! + next };
  }
  return { content: content.take().toString('latin1'), bare: reader.bare, end: -1 };
}

/** What the reader says of the lines is what a look at the content finds; a dot may be said too often, never too rarely. */
function checkLines(content: Buffer, { bare, lines }: DataReader): void {
  assert.equal(lines === undefined, bare);
  if (lines === undefined) return;
  const { bareCr, bareLf, dotLine } = checkBytes(content);
  assert.ok(!bareCr && !bareLf && (lines.dotLine || !dotLine), JSON.stringify(content.toString('latin1')));
}

/** The same text whole, cut at every place, and byte by byte. */
function everyWay(text: string): Outcome {
  const whole = read(text);
  for (let cut = 1; cut < text.length; cut++) assert.deepEqual(read(text, [cut]), whole, `cut at ${cut}`);
  assert.deepEqual(read(text, [...text].map((_, i) => i).slice(1)), whole, 'byte by byte');
  return whole;
}

describe('content behind DATA', () => {
  const cases: readonly (readonly [string, string, string])[] = [
    ['an empty message', '.\r\n', ''],
    ['one line', 'Hello\r\n.\r\n', 'Hello\r\n'],
    ['a stuffed dot', '..\r\n.\r\n', '.\r\n'],
    ['a stuffed dot in the middle', 'a\r\n..b\r\nc\r\n.\r\n', 'a\r\n.b\r\nc\r\n'],
    ['a dot that should have been stuffed', '.b\r\n.\r\n', 'b\r\n'],
    ['dots inside a line', 'a.\r\nb..c\r\n.\r\n', 'a.\r\nb..c\r\n'],
    ['empty lines', '\r\n\r\n.\r\n', '\r\n\r\n'],
    ['NUL and high bytes', '\0\xff\xfe\r\n.\r\n', '\0\xff\xfe\r\n'],
  ];
  for (const [name, text, content] of cases)
    test(name, () => assert.deepEqual(everyWay(text), { content, bare: false, end: text.length }));

  test('content without dots needs none doubled', () => {
    const reader = new DataReader(new Content(1e6, new Budget(1e7)));
    reader.read(Buffer.from('a.\r\nb\r\n.\r\n'), 0);
    assert.deepEqual(reader.lines, { dotLine: false });
    reader.reset();
    reader.read(Buffer.from('..\r\n.\r\n'), 0);
    assert.deepEqual(reader.lines, { dotLine: true });
    reader.reset();
    assert.deepEqual(reader.lines, { dotLine: false });
  });

  test('what follows the end is left alone', () => {
    const text = 'x\r\n.\r\nMAIL FROM:<>\r\n';
    assert.deepEqual(everyWay(text), { content: 'x\r\n', bare: false, end: 6 });
  });

  test('no end, no result', () => {
    for (const text of ['', 'a', 'a\r', 'a\r\n', 'a\r\n.', 'a\r\n.\r', '.', '.\r'])
      assert.equal(read(text).end, -1, text);
  });

  test('long lines around the word-wise search', () => {
    for (let length = 60; length < 80; length++) {
      const line = 'x'.repeat(length);
      const text = `${line}\r\n..${line}\r\n${line}\n${line}\r\n.\r\n`;
      assert.deepEqual(read(text), {
        content: `${line}\r\n.${line}\r\n${line}\n${line}\r\n`,
        bare: true,
        end: text.length,
      });
    }
  });
});

describe('bare CR and LF', () => {
  const bare = ['a\nb\r\n', 'a\rb\r\n', '\n', '\r\r\n', 'a\r\n\n', '.\n', '.\rx\r\n', '\n\r\n'];
  for (const text of bare)
    test(JSON.stringify(text), () => {
      const outcome = everyWay(`${text}\r\n.\r\n`);
      assert.equal(outcome.bare, true);
      assert.equal(outcome.end, text.length + 5);
    });
});

describe('sequences that must not end the content', () => {
  const file = new URL('../../../../shared/corpus/smtp/end_of_data_sequences.json', import.meta.url);
  const skip = existsSync(file) ? false : 'the corpus of third-party samples is not here';
  test('all known ones, at every cut', { skip }, () => {
    const rows = JSON.parse(readFileSync(file, 'utf8')) as { seq: string; must_not_end_data: boolean }[];
    assert.ok(rows.length > 0);
    for (const { seq, must_not_end_data: harmless } of rows) {
      assert.equal(harmless, true);
      const smuggled = `a@b${seq}MAIL FROM:<evil@x.test>\r\nDATA\r\nb`;
      const outcome = everyWay(`${smuggled}\r\n.\r\n`);
      assert.equal(outcome.end, smuggled.length + 5, JSON.stringify(seq));
      const standsAlone = /\r(?!\n)|(?<!\r)\n/.test(seq);
      assert.equal(outcome.bare, standsAlone, JSON.stringify(seq));
    }
  });
});
