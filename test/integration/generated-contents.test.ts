/**
 * Generated campaigns, composed from parts or given as whole messages, before readers that share no code with us: Python's `email` and mailparser have to find every
 * part byte for byte as it was meant, dkimpy and mailauth have to verify both signatures. What was meant is worked out
 * here, by the plainest means: replace the variables in the text.
 */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { text as allOf } from 'node:stream/consumers';
import { test, type TestContext } from 'node:test';
import fc from 'fast-check';
import { dkimVerify } from 'mailauth/lib/dkim/verify.js';
import { simpleParser } from 'mailparser';
import { signMessageSync } from '../../src/mta/dkim/index.ts';
import {
  compileRaw,
  composeContent,
  type ContentParts,
  decodeCampaign,
  encodeCampaign,
  recode,
  renderContent,
} from '../../src/mta/message/index.ts';
import { KEPT, oneLine, wholeMessage, withLines, type Writing } from '../support/whole-message.ts';
import { makeKeys } from '../unit/dkim/odd-messages.ts';

const RUNS = 500;
const PYTHON = '/usr/bin/python3';
const keys = makeKeys();
const now = Date.now();

/** Reads JSON lines with a message each; says what it found in it. */
const READER = `
import base64, dkim, email, email.header, email.policy, email.utils, json, sys
records = None
def verify(raw, index):
    try:
        d = dkim.DKIM(raw, minkey=1024)
        return bool(d.verify(idx=index, dnsfunc=lambda name, timeout=5: records[name.decode()].encode()))
    except dkim.DKIMException as error:
        return str(error)
for line in sys.stdin:
    given = json.loads(line)
    if records is None:
        records = given
        continue
    raw = base64.b64decode(given)
    message = email.message_from_bytes(raw, policy=email.policy.default)
    leaves = []
    for part in message.walk():
        if part.is_multipart():
            leaves.append([part.get_content_type(), len(part.get_payload())])
            continue
        body = base64.b64encode(part.get_payload(decode=True)).decode()
        params = part['content-type'].params if 'content-type' in part else {}
        kept = {k: v for k, v in params.items() if k.startswith('x-')}
        leaves.append([part.get_content_type(), part.get_filename(), part['content-id'], body, kept])
    # The new policy puts blanks between the encoded words of a name; decode_header knows better.
    plain = email.message_from_bytes(raw)['from'].replace('\\r\\n', '')
    name, address = email.utils.parseaddr(plain)
    name = str(email.header.make_header(email.header.decode_header(name)))
    types = [part['content-type'] for part in message.walk() if 'content-type' in part]
    defects = [str(d) for part in [*message.walk(), *types] for d in part.defects]
    print(json.dumps({
        'subject': str(message['subject']),
        'name': name,
        'address': address,
        'custom': str(message['x-custom']),
        'leaves': leaves,
        'defects': defects,
        'dkim': [verify(raw, 0), verify(raw, 1)],
    }), flush=True)
`;

// --- what is generated ---

const special = fc.constantFrom(
  '👩‍👩‍👧‍👦 🏳️‍🌈 ❤️',
  'שלום עולם',
  'مرحبا بالعالم \u202Eabc\u202C',
  'x'.repeat(2000),
  'ü'.repeat(2000),
  '😀'.repeat(700),
  'a\r\nBcc: victim@example.org\r\n\r\nbody',
  'one\ntwo\rthree\r\n.\r\n..four',
  ' blanks at both ends \t ',
  '--=_u1_1--\r\n',
  '--b\r\nContent-Type: text/html\r\n\r\n<b>\r\n--b--\r\n',
  'x\r\n-----\r\n---\r\n\r\n-',
  '--',
  '-b',
  `${'a'.repeat(75)}--b`,
  '=?utf-8?Q?=41?= =41 = =\r\n',
  '<script>alert("&amp;\'")</script>',
  'From the start\nFrom the line\n.\n',
  '',
);
const words = fc.oneof(special, fc.string({ unit: 'grapheme', maxLength: 200 }), fc.lorem({ maxCount: 60 }));
const NAMES = ['a', 'b', 'city_1', 'x.y'] as const;
const template = fc
  .array(
    fc.oneof(
      words.map((text) => text.replaceAll('{{', '{ {')),
      fc.constantFrom(...NAMES, 'recipient').map((name) => ({ name })),
    ),
    { minLength: 1, maxLength: 8 },
  )
  .map((pieces) =>
    pieces.map((piece) => (typeof piece === 'string' ? piece : `{{${piece.name}}}`)).join('|'),
  );
const filename = fc.constantFrom(
  'a.pdf',
  'Grüße – Übersicht.pdf',
  '文件'.repeat(20),
  'a "b" \\c;d.txt',
  "it's 100%.png",
);
const attachment = fc.record({
  filename,
  bytes: fc.uint8Array({ maxLength: 400 }),
  inline: fc.boolean(),
});
const encoding = fc.constantFrom('quoted-printable', 'base64', '8bit', null);

/** A whole message in place of parts: its boundaries, and how its client encodes. */
const encodings = fc.constantFrom('quoted-printable', 'base64', '8bit');
const whole: fc.Arbitrary<Writing> = fc.record({
  boundaries: fc.constantFrom(['b', '-'], ['-', 'b'], ['c', 'b'], ["'x y", '='], ['=_u1_1', '=_u1_2']),
  text: encodings,
  html: encodings,
  encodedHeader: fc.boolean(),
  alone: fc.boolean(),
});

const message = fc.record({
  whole: fc.option(whole, { freq: 2 }),
  subject: template,
  // Runs of blanks between atoms mean nothing.
  name: words.map((text) => text.replaceAll(/[{}"\\<>@,;:()[\]\s]+/g, ' ')),
  custom: template,
  body: fc.constantFrom('text', 'html', 'both'),
  text: template,
  html: template,
  amp: fc.option(template),
  files: fc.array(attachment, { maxLength: 3 }),
  vars: fc.record({ a: words, b: words, city_1: words, 'x.y': fc.oneof(words, fc.integer(), fc.boolean()) }),
  encodings: fc.option(fc.record({ text: encoding, html: encoding })),
});
type Generated = typeof message extends fc.Arbitrary<infer T> ? T : never;

// --- what is expected ---

const RECIPIENT = 'bob@example.org';
const escaped = (text: string): string =>
  text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
const fill = ({ vars }: Generated, text: string, escape = (value: string) => value): string =>
  text.replaceAll(/\{\{([\w.]+)\}\}/g, (_, name: string) =>
    escape(String({ ...vars, recipient: RECIPIENT }[name])),
  );
/** Of a header field: every value is one line, and so is the whole. */
const field = (given: Generated, text: string): string => oneLine(fill(given, text, oneLine));

interface Leaf {
  readonly type: string;
  readonly filename: string | null;
  readonly cid: string | null;
  readonly bytes: Buffer;
  /** Parameters of the type. */
  readonly kept: Readonly<Record<string, string>>;
}

function leavesOf(given: Generated): readonly Leaf[] {
  const leaf = (type: string, text: string, escape?: (value: string) => string): Leaf => {
    const whole = withLines(text.replaceAll(/\r\n?|\n/g, '\r\n'));
    const filled = fill(given, whole, (value) => (escape ?? String)(value).replaceAll(/\r\n?|\n/g, '\r\n'));
    const kept = given.whole ? KEPT : {};
    return { type, filename: null, cid: null, bytes: Buffer.from(filled), kept };
  };
  const file = ({ filename: name, bytes, inline }: Generated['files'][number], i: number): Leaf => ({
    type: inline ? 'image/png' : 'application/octet-stream',
    filename: name,
    cid: inline ? `<pic${i}@x>` : null,
    bytes: Buffer.from(bytes),
    kept: {},
  });
  const files = given.files.map(file);
  const inHtml = given.body === 'text' ? [] : files.filter(({ cid }) => cid !== null);
  return [
    ...(given.body === 'html' ? [] : [leaf('text/plain', given.text)]),
    ...(given.amp === null ? [] : [leaf('text/x-amp-html', given.amp, escaped)]),
    ...(given.body === 'text' ? [] : [leaf('text/html', given.html, escaped)]),
    ...inHtml,
    ...files.filter((each) => !inHtml.includes(each)),
  ];
}

function partsOf(given: Generated): ContentParts {
  const { body, text, html, amp, files } = given;
  return {
    from: `"${given.name}" <news@example.com>`,
    subject: given.subject,
    headers: { 'X-Custom': given.custom },
    ...(body !== 'html' && { text }),
    ...(body !== 'text' && { html }),
    ...(amp !== null && { amp }),
    attachments: files.map(({ filename: name, bytes, inline }, i) => ({
      filename: name,
      content_type: inline ? 'image/png' : 'application/octet-stream',
      content: Buffer.from(bytes).toString('base64'),
      ...(inline && { cid: `pic${i}@x` }),
    })),
  };
}

function wholeOf(given: Generated, how: NonNullable<Generated['whole']>): Buffer {
  const { body, text, amp, html } = given;
  const texts = [
    ...(body === 'html' ? [] : [{ type: 'text/plain', text }]),
    ...(amp === null ? [] : [{ type: 'text/x-amp-html', text: amp }]),
    ...(body === 'text' ? [] : [{ type: 'text/html', text: html }]),
  ];
  const files = leavesOf(given).filter(({ filename: name }) => name !== null);
  return wholeMessage({ ...given, texts, files }, how);
}

/** As it goes over the wire: rendered from its stored form, in the receiver's encodings, signed. */
function sent(given: Generated, i: number): Buffer {
  const options = { hostname: 'mta.example.com', now, unique: 'u1' };
  const composed = given.whole
    ? compileRaw(wholeOf(given, given.whole), options)
    : composeContent(partsOf(given), options);
  assert.ok(composed.ok, `content ${i}: ${JSON.stringify(composed)}`);
  const stored = decodeCampaign(encodeCampaign(composed.value));
  assert.ok(stored.ok);
  const content = renderContent(stored.value, {
    recipient: RECIPIENT,
    vars: given.vars,
    messageIdText: `m${i}`,
  });
  const recoded = given.encodings ? recode(content, given.encodings) : content;
  return Buffer.concat([signMessageSync(recoded, [keys.rsa, keys.ed25519], { now }), recoded]);
}

// --- the readers ---

interface Found {
  readonly subject: string;
  readonly name: string;
  readonly address: string;
  readonly custom: string;
  readonly leaves: readonly (
    | readonly [string, number]
    | readonly [string, string | null, string | null, string, Readonly<Record<string, string>>]
  )[];
  readonly defects: readonly string[];
  readonly dkim: readonly (boolean | string)[];
}

async function readByPython(messages: readonly Buffer[]): Promise<readonly Found[]> {
  const records = Object.fromEntries([...keys.records].map(([name, text]) => [`${name}.`, text]));
  const python = spawn(PYTHON, ['-c', READER], { stdio: ['pipe', 'pipe', 'inherit'] });
  const answer = allOf(python.stdout);
  python.stdin.end(
    [records, ...messages.map((raw) => raw.toString('base64'))]
      .map((one) => `${JSON.stringify(one)}\n`)
      .join(''),
  );
  const lines = (await answer).trimEnd().split('\n');
  return lines.map((line) => JSON.parse(line) as Found);
}

function available(t: TestContext): boolean {
  if (spawnSync(PYTHON, ['-c', 'import dkim']).status === 0) return true;
  assert.ok(!process.env['CI'], 'python3 with dkim is needed in CI');
  t.skip('python3 with dkim is not installed');
  return false;
}

const seed = Date.now() % 2 ** 31;
const generated = fc.sample(message, { numRuns: RUNS, seed });
const messages = generated.map(sent);
const whats = generated.map(
  (given, i) => `content ${i} of seed ${seed}: ${JSON.stringify(given).slice(0, 2000)}`,
);
const what = (i: number): string => whats[i]!;

test('no line is longer than 998 octets, and no bare CR or LF goes out', () => {
  for (const [i, raw] of messages.entries()) {
    const text = raw.toString('latin1');
    const lines = text.split('\r\n');
    assert.ok(!lines.some((line) => line.length > 998 || /[\r\n]/.test(line)), what(i));
  }
});

test('Python finds every part byte for byte, and dkimpy verifies', async (t) => {
  if (!available(t)) return;
  const found = await readByPython(messages);
  assert.equal(found.length, RUNS);
  for (const [i, given] of generated.entries()) {
    const { leaves, ...header } = found[i]!;
    const { defects, dkim, ...fields } = header;
    assert.deepEqual(defects, [], what(i));
    assert.deepEqual(dkim, [true, true], what(i));
    assert.deepEqual(
      fields,
      {
        subject: field(given, given.subject),
        name: oneLine(given.name),
        address: 'news@example.com',
        custom: field(given, given.custom),
      },
      what(i),
    );
    const read = leaves.filter((leaf) => leaf.length === 5);
    assert.deepEqual(
      read.map(([type, name, cid, body, kept]) => [
        type,
        name,
        cid,
        Buffer.from(body, 'base64').toString('latin1'),
        kept,
      ]),
      leavesOf(given).map(({ type, filename: name, cid, bytes, kept }) => [
        type,
        name,
        cid,
        bytes.toString('latin1'),
        kept,
      ]),
      what(i),
    );
  }
});

const oneBlank = (text: string): string => text.replaceAll(/ +/g, ' ').trim();

test('mailparser finds the same, and mailauth verifies', async () => {
  const resolver = (name: string): Promise<string[][]> => Promise.resolve([[keys.records.get(name) ?? '']]);
  for (const [i, given] of generated.entries()) {
    const raw = messages[i]!;
    const { results } = await dkimVerify(raw, { resolver });
    assert.deepEqual(
      results.map(({ status }) => status.result),
      ['pass', 'pass'],
      what(i),
    );
    const read = await simpleParser(raw, { skipTextToHtml: true, skipHtmlToText: true, keepCidLinks: true });
    // It makes one blank of several where a field is folded; Python has found each of them.
    assert.equal(oneBlank(read.subject ?? ''), oneBlank(field(given, given.subject)), what(i));
    const expected = leavesOf(given);
    // It leaves out some of the files without a byte.
    const files = expected.filter(({ filename: name, bytes }) => name !== null && bytes.length > 0);
    assert.deepEqual(
      read.attachments
        .filter(({ contentType, content }) => contentType !== 'text/x-amp-html' && content.length > 0)
        .map(({ filename: name, content }) => [name, content.toString('latin1')]),
      files.map(({ filename: name, bytes }) => [name, bytes.toString('latin1')]),
      what(i),
    );
    for (const [type, text] of [
      ['text/plain', read.text],
      ['text/html', read.html],
    ] as const) {
      const leaf = expected.find((each) => each.type === type);
      if (leaf) assert.equal(withLines(text || ''), withLines(leaf.bytes.toString()), what(i));
    }
  }
});
