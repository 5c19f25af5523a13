/** No input hangs, throws or makes the server answer what is no reply; no cut of the input changes its meaning. */
import { test } from 'node:test';
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { Budget, Content } from '../../src/mta/smtp/server/content.ts';
import { DataReader } from '../../src/mta/smtp/server/data-reader.ts';
import { hasBareLineEnd } from '../../src/mta/smtp/server/line-ends.ts';
import { parseParameters, parsePath } from '../../src/mta/smtp/server/path.ts';
import { parseSinkRule } from '../../src/testbed/sink-rules.ts';
import { dialogue } from '../unit/smtp-server/dialogue.ts';

/** Bytes that matter in content, far more often than chance would have it. */
const contentText = fc
  .array(
    fc.oneof(
      { weight: 8, arbitrary: fc.constantFrom('\r', '\n', '.', '\r\n', '\r\n.', '\r\n.\r\n') },
      fc.constant('x'.repeat(70)),
      fc.string({ unit: 'binary-ascii', maxLength: 5 }),
    ),
  )
  .map((parts) => parts.join(''));

const cutsOf = (length: number): fc.Arbitrary<number[]> =>
  fc.array(fc.nat({ max: length }), { maxLength: 6 }).map((cuts) => cuts.sort((a, b) => a - b));

/** The definition, slow and plain: RFC 5321 §4.1.1.4 and §4.5.2. */
function oracle(text: string): { content: string; end: number } | undefined {
  const end = text.startsWith('.\r\n') ? 0 : text.indexOf('\r\n.\r\n') + 2;
  if (end === 1) return undefined;
  const content = text.slice(0, end).replaceAll(/(^|\r\n)\./g, '$1');
  return { content, end: end + 3 };
}

test('content reads the same as by its definition, however it is cut', () => {
  fc.assert(
    fc.property(
      contentText.chain((text) => fc.tuple(fc.constant(text), cutsOf(text.length))),
      ([text, cuts]) => {
        const content = new Content(1e9, new Budget(1e9));
        const reader = new DataReader(content);
        const bytes = Buffer.from(text, 'latin1');
        const edges = [0, ...cuts, bytes.length];
        let end = -1;
        for (let i = 1; i < edges.length && end < 0; i++) {
          const next = reader.read(bytes.subarray(edges[i - 1], edges[i]), 0);
          if (next >= 0) end = edges[i - 1]! + next;
        }
        const expected = oracle(text);
        assert.equal(end, expected?.end ?? -1);
        if (expected === undefined) return;
        const read = content.take();
        assert.equal(read.toString('latin1'), expected.content);
        assert.equal(reader.bare, /\r(?!\n)|(?<!\r)\n/.test(text.slice(0, expected.end)));
      },
    ),
    { numRuns: 3000 },
  );
});

test('bare line ends are found as by their definition', () => {
  fc.assert(
    fc.property(contentText, (text) => {
      assert.equal(hasBareLineEnd(Buffer.from(text, 'latin1')), /\r(?!\n)|(?<!\r)\n/.test(text));
    }),
    { numRuns: 2000 },
  );
});

const command = fc.oneof(
  fc.constantFrom(
    'EHLO me.test\r\n',
    'HELO me.test\r\n',
    'MAIL FROM:<a@b.test>\r\n',
    'MAIL FROM:<> SIZE=3 BODY=8BITMIME\r\n',
    'RCPT TO:<c@d.test>\r\n',
    'DATA\r\n',
    'BDAT 5\r\n',
    'BDAT 2 LAST\r\n',
    'STARTTLS\r\n',
    'AUTH PLAIN AGEAYg==\r\n',
    'RSET\r\n',
    '.\r\n',
    'hello\r\n',
  ),
  fc.string({ unit: 'binary-ascii', maxLength: 30 }),
  fc.uint8Array({ maxLength: 30 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
);
const session = fc.array(command, { maxLength: 40 }).map((parts) => parts.join(''));

function replies(text: string, cuts: readonly number[]): { said: string; messages: string[] } {
  const d = dialogue({ maxErrors: 1000 });
  const edges = [0, ...cuts, text.length];
  let said = d.answered();
  for (let i = 1; i < edges.length; i++) said += d.send(text.slice(edges[i - 1], edges[i]));
  assert.deepEqual(d.errors, []);
  d.c.gone();
  assert.equal(d.budget.heldBytes, 0);
  return {
    said,
    messages: d.messages.map((m) => JSON.stringify([m.from, m.recipients, m.content.toString('latin1')])),
  };
}

test('any session gives well-formed replies, the same ones however it is cut', () => {
  fc.assert(
    fc.property(
      session.chain((text) => fc.tuple(fc.constant(text), cutsOf(text.length))),
      ([text, cuts]) => {
        const whole = replies(text, []);
        assert.match(whole.said, /^(?:[2-5]\d\d[ -][\x20-\x7e]*\r\n)+$/);
        assert.deepEqual(replies(text, cuts), whole);
      },
    ),
    { numRuns: 2000 },
  );
});

test('paths, parameters and sink rules: any text is a value', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), fc.string(), (noise, text) => {
      for (const bytes of [
        Buffer.from(noise),
        Buffer.from(`<${text}>`),
        Buffer.concat([Buffer.from('<'), noise, Buffer.from('@b.test>')]),
      ]) {
        const path = parsePath(bytes, 0, bytes.length);
        if (path.ok) assert.doesNotMatch(path.value.address, /[\r\n\0]/);
        parseParameters(bytes, 0, bytes.length);
      }
      assert.equal(typeof parseSinkRule(text).ok, 'boolean');
    }),
    { numRuns: 2000 },
  );
});
