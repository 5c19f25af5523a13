import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { ReplyParser, toReply, type ParsedReply } from '../../src/mta/smtp/client/index.ts';

/** Bytes that are nearly replies: arbitrary ones would all fail at the first line. */
const piece = fc.oneof(
  fc.constantFrom('250', '354', '550', '421', '-', ' ', '\r\n', '\n', '\r', '5.1.1 ', '2.0.0', '\0', '\t'),
  fc.string({ unit: 'binary', maxLength: 20 }),
);
const line = fc
  .tuple(
    fc.constantFrom('250', '550'),
    fc.constantFrom('-', ' '),
    fc.string({ unit: 'binary', maxLength: 40 }),
  )
  .map(([code, separator, text]) => `${code}${separator}${text.replace(/[\r\n]/g, '')}\r\n`);
const stream = fc
  .array(fc.oneof(piece, { arbitrary: line, weight: 3 }), { maxLength: 30 })
  .map((pieces) => Buffer.from(pieces.join('')));

function run(chunks: readonly Buffer[]): { replies: ParsedReply[]; fault: string | undefined } {
  const parser = new ReplyParser();
  const replies: ParsedReply[] = [];
  let fault: string | undefined;
  for (const chunk of chunks) fault = parser.push(chunk, replies);
  return { replies, fault };
}

describe('any bytes from a peer', () => {
  test('give bounded, printable replies or a fault', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          stream,
          fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array)),
        ),
        (bytes) => {
          for (const parsed of run([bytes]).replies) {
            const reply = toReply(parsed);
            assert.ok(reply.code >= 200 && reply.code < 600);
            assert.ok(reply.text.length <= 1024);
            assert.doesNotMatch(reply.text, /[\x00-\x1f\x7f-\x9f]/);
          }
        },
      ),
      { numRuns: 1000 },
    );
  });

  test('give the same replies however they are split', () => {
    fc.assert(
      fc.property(stream, fc.integer({ min: 1, max: 7 }), (bytes, size) => {
        const chunks: Buffer[] = [];
        for (let at = 0; at < bytes.length; at += size) chunks.push(bytes.subarray(at, at + size));
        assert.deepEqual(run(chunks).replies, run([bytes]).replies);
        assert.equal(run(chunks).fault, run([bytes]).fault);
      }),
      { numRuns: 500 },
    );
  });
});
