/**
 * Anything at both doors of the program itself: requests and batches with fields changed, dialogues of SMTP in any order.
 * It goes on, logs no fault of its own, and has in its journal what it said it took, with all recipients or none.
 */
import assert from 'node:assert/strict';
import { text as allOf } from 'node:stream/consumers';
import { connect } from 'node:net';
import { test } from 'node:test';
import fc from 'fast-check';
import { Mta, ofType } from '../support/mta.ts';
import { mail, submit } from '../support/mta-world.ts';

const RUNS = Number(process.env.FUZZ_RUNS ?? 200);
const NDJSON = 'application/x-ndjson';
/** Nothing is sent. */
const DOWN = { nodes: [{ name: 'n1', address: '192.0.2.9', hostname: 'n1.test' }] };
const TO = ['a@one.test', 'b@two.test'];

const odd = fc.oneof(
  fc.jsonValue(),
  fc.constantFrom('', 'x', '2h', 'geo', 'a@b.test', '{{x}}', '{{', 'ü@ü.test', '\r\nBcc: x@y.test'),
);
/** A valid object with some of its fields replaced or added. */
const mutated = (valid: object): fc.Arbitrary<object> =>
  fc
    .array(fc.tuple(fc.constantFrom(...Object.keys(valid), '__proto__', 'x'), odd), { maxLength: 3 })
    .map((changes): object => Object.fromEntries([...Object.entries(valid), ...changes]));

const LABELS = {
  sender: 'shop',
  campaign_id: 'c',
  group: 'g',
  band: 'geo',
  deadline: '2h',
  not_before: '1h',
  expires: '3h',
  metadata: { a: 1 },
  missing: 'refuse',
  defaults: { name: 'reader' },
};
const PARTS = {
  from: 'Shop <news@shop.test>',
  reply_to: 'r@shop.test',
  subject: 'For {{name}}',
  text: '{{name}}',
  html: '<p title="{{name}}">',
  headers: { 'X-One': '{{name}}' },
  attachments: [{ filename: 'f', content_type: 'text/plain', content: 'eA==' }],
};
const parts = mutated(PARTS);
const message = fc
  .tuple(mutated({ envelope: { from: 'b@shop.test', to: TO }, ...LABELS }), parts)
  .map(([body, given]) => ({ parts: given, ...body }));
const header = fc
  .tuple(mutated({ from: 'b@shop.test', ...LABELS }), parts)
  .map(([body, given]) => ({ parts: given, ...body }));
const line = mutated({
  to: 'u@one.test',
  vars: { name: 'A' },
  metadata: {},
  not_before: '1h',
  deadline: '2h',
});
const batch = fc
  .tuple(header, fc.array(line, { minLength: 1, maxLength: 20 }))
  .map(([first, lines]) => [first, ...lines].map((one) => `${JSON.stringify(one)}\n`).join(''));

interface Answered {
  readonly message_id: string;
  readonly deliveries?: readonly unknown[];
  readonly accepted?: number;
}

test('bodies and batches: each line is committed and counted, or named', { timeout: 180_000 }, async (t) => {
  const mta = await Mta.start(t, DOWN);
  const took = new Map<string, number>();
  await fc.assert(
    fc.asyncProperty(message, batch, async (one, many) => {
      const single = await mta.api('/v1/messages', { body: JSON.stringify(one) });
      assert.ok(single.status < 500, single.text);
      if (single.status === 202) {
        const { message_id: id, deliveries } = single.body as Answered;
        took.set(id, deliveries!.length);
      }
      const several = await mta.api('/v1/batches', { type: NDJSON, body: many });
      assert.ok(several.status < 500, several.text);
      if (several.status === 200) {
        const last = JSON.parse(several.text.trim().split('\n').at(-1)!) as Answered;
        assert.equal(typeof last.accepted, 'number', several.text);
        took.set(last.message_id, last.accepted!);
      }
    }),
    { numRuns: RUNS },
  );
  assert.ok(took.size > RUNS / 10, 'some of it was good');
  const events = ofType(await mta.end(), 'accepted');
  for (const [id, count] of took)
    assert.equal(events.filter((event) => event.message_id === id).length, count, id);
  assert.equal(
    events.length,
    [...took.values()].reduce((sum, count) => sum + count, 0),
    'and nothing else',
  );
});

const MAIL = 'From: news@shop.test\r\nSubject: s\r\n';
/** Each of them gets a number of its own. */
const PAIR = 'RCPT TO:<a#@one.test>\r\nRCPT TO:<b#@two.test>\r\n';
const content = fc
  .tuple(
    fc.constantFrom(
      'Subject',
      'Bcc',
      'From',
      'X-Postrider-Band',
      'X-Postrider-Deadline',
      'X-Postrider-Metadata',
    ),
    fc.oneof(fc.string({ maxLength: 40 }), fc.constantFrom('geo', '2h', '{"a":1}', 'x\r\n\ty')),
    fc.constantFrom('\r\n.\r\n', '\r\n..\r\n.\r\n', '\n.\n', ''),
  )
  .map(([name, value, end]) => `${MAIL}${name}: ${value}\r\n\r\nHello${end}`);
const command = fc.oneof(
  {
    weight: 4,
    arbitrary: content.map((text) => `RSET\r\nMAIL FROM:<b@shop.test>\r\n${PAIR}DATA\r\n${text}`),
  },
  { weight: 1, arbitrary: content },
  {
    weight: 3,
    arbitrary: fc.constantFrom(
      'EHLO app.test\r\n',
      'RSET\r\n',
      'NOOP\r\n',
      'DATA\r\n',
      'MAIL FROM:<>\r\n',
      `${PAIR}RCPT TO:<c@one.test>\r\n`,
      'AUTH PLAIN AGEAYg==\r\n',
      'STARTTLS\r\n',
      'XCLIENT ADDR=192.0.2.1\r\n',
      'PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n',
      'BDAT 18\r\nFrom: a@shop.test\r',
      'BDAT 4 LAST\r\n\n\r\nx',
      'VRFY a\r\n',
    ),
  },
  {
    weight: 1,
    arbitrary: fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
  },
);
const dialogue = fc
  .array(command, { minLength: 1, maxLength: 8 })
  .map((all) => `EHLO app.test\r\n${all.join('')}`);

/** Says it all at once, as it comes, and reads until the end. */
async function replies(mta: Mta, said: string): Promise<string> {
  const socket = connect(mta.smtp);
  socket.on('error', () => undefined);
  socket.write(Buffer.from(said, 'latin1'));
  // Whatever state it is in now: one of them ends it.
  socket.write('\r\n.\r\nRSET\r\nQUIT\r\n');
  return allOf(socket).catch(() => '');
}

test('dialogues: a message is queued for all its recipients or for none', { timeout: 180_000 }, async (t) => {
  const mta = await Mta.start(t, DOWN);
  const queued = new Set<string>();
  let pairs = 0;
  await fc.assert(
    fc.asyncProperty(dialogue, async (text) => {
      const said = text.replaceAll(PAIR, () => PAIR.replaceAll('#', String(++pairs)));
      const heard = await replies(mta, said);
      assert.match(heard, /^(?:[2-5]\d\d[ -][^\r\n]*\r\n)*$/);
      for (const [, id] of heard.matchAll(/^250 2\.0\.0 queued as (\w+)\r$/gm)) queued.add(id!);
    }),
    { numRuns: RUNS },
  );
  assert.ok(queued.size > RUNS / 10, `some of it was good: ${queued.size}`);
  const session = await mta.session();
  assert.ok((await submit(session, 'last@one.test', mail('last@one.test'))).recipients[0]?.ok);
  await session.quit();
  const events = ofType(await mta.end(), 'accepted');
  const messages = new Set(events.map((event) => event.message_id));
  for (const id of queued) assert.ok(messages.has(id), `${id} is lost`);
  const numbers = (letter: string): string[] =>
    events.flatMap(({ recipient }) => new RegExp(`^${letter}(\\d+)@`).exec(recipient!)?.[1] ?? []).sort();
  assert.deepEqual(numbers('a'), numbers('b'));
});
