import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { endOfData } from '../../../src/mta/smtp/client/content.ts';
import { stuffDots } from '../../../src/mta/smtp/client/dot-stuffing.ts';

const parts = (...texts: string[]): Buffer[] => texts.map((text) => Buffer.from(text));
const stuffed = (...texts: string[]): string => Buffer.concat(stuffDots(parts(...texts))).toString();
const unstuffed = (text: string): string =>
  text
    .split('\r\n')
    .map((line) => (line.startsWith('.') ? line.slice(1) : line))
    .join('\r\n');

describe('dot stuffing', () => {
  test('doubles a dot at the start of a line and nowhere else', () => {
    assert.equal(stuffed('.a\r\n..b\r\nc.d\r\n.\r\n'), '..a\r\n...b\r\nc.d\r\n..\r\n');
  });

  test('sees lines across parts', () => {
    assert.equal(stuffed('a\r\n', '.b', '.c\r', '\n.d'), 'a\r\n..b.c\r\n..d');
    assert.equal(stuffed('', '.a'), '..a');
    assert.equal(stuffed('a\r\n', '', '.b'), 'a\r\n..b');
  });

  test('copies nothing when there is nothing to do', () => {
    const input = parts('a\r\n', 'b.c\r\n');
    assert.equal(stuffDots(input), input);
  });

  test('the peer gets the content back, and never an early end', () => {
    const line = fc.array(fc.constantFrom('.', '..', 'a', ' ', 'é'), { maxLength: 4 }).map((a) => a.join(''));
    const content = fc.array(line, { maxLength: 8 }).map((lines) => `${lines.join('\r\n')}\r\n`);
    fc.assert(
      fc.property(content, fc.array(fc.nat(40), { maxLength: 5 }), (text, cuts) => {
        const bytes = Buffer.from(text);
        const ends = [...cuts.map((cut) => Math.min(cut, bytes.length)), bytes.length].sort((a, b) => a - b);
        const pieces = ends.map((end, i) => bytes.subarray(i === 0 ? 0 : ends[i - 1], end));
        const wire = Buffer.concat(stuffDots(pieces)).toString();
        assert.equal(unstuffed(wire), text);
        assert.equal(`\r\n${wire}`.includes('\r\n.\r\n'), false);
      }),
    );
  });

  test('leaves no sequence that some peer takes for the end, where a line feed begins it', (context) => {
    const file = new URL('../../../../shared/corpus/smtp/end_of_data_sequences.json', import.meta.url);
    if (!existsSync(file)) {
      context.skip('the third-party samples are not here');
      return;
    }
    const samples = JSON.parse(readFileSync(file, 'utf8')) as readonly { seq: string }[];
    const begunByLineFeed = samples.filter(({ seq }) => seq.includes('\n.'));
    assert.ok(begunByLineFeed.length > 3);
    for (const { seq } of begunByLineFeed) assert.equal(stuffed(`a${seq}b`).includes(seq), false);
  });
});

describe('end of data', () => {
  test('adds the CRLF that is missing', () => {
    assert.equal(endOfData(parts('a\r\n')).toString(), '.\r\n');
    assert.equal(endOfData(parts('a\r', '\n')).toString(), '.\r\n');
    assert.equal(endOfData(parts('a\r\n', '')).toString(), '.\r\n');
    assert.equal(endOfData(parts('a\n')).toString(), '\r\n.\r\n');
    assert.equal(endOfData(parts('a\r\n', 'b')).toString(), '\r\n.\r\n');
    assert.equal(endOfData([]).toString(), '\r\n.\r\n');
  });
});
