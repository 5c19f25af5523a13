/** What is wrong with a message or an address is said at once, by code and in words, and nothing of it is stored. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test, type TestContext } from 'node:test';
import type { Sink } from '../../src/testbed/index.ts';
import { Mta, ofType } from '../support/mta.ts';
import { batch, FROM, mail, receiver, routeTo, submit } from '../support/mta-world.ts';
import type { Talk } from '../support/talk.ts';

const MB = 1024 * 1024;

async function start(
  t: TestContext,
  smtp: object = {},
  options: Parameters<typeof receiver>[1] = {},
): Promise<{ mta: Mta; sink: Sink }> {
  const sink = await receiver(t, { keep: 10, ...options });
  const mta = await Mta.start(t, { routes: [routeTo(sink)], smtp });
  return { mta, sink };
}

/** A session in which EHLO has been said. */
async function greeted(mta: Mta): Promise<Talk> {
  const talk = await mta.talk();
  await talk.expect(/220 .*\r\n/);
  await talk.ask('EHLO app.test\r\n');
  return talk;
}

/** Sends a message and gives the reply to its end. */
async function deliver(talk: Talk, content: string | Buffer): Promise<string> {
  await talk.ask(`MAIL FROM:<${FROM}>\r\n`);
  await talk.ask('RCPT TO:<a@to.test>\r\n');
  assert.match(await talk.ask('DATA\r\n'), /^354/);
  talk.send(content);
  return talk.ask('\r\n.\r\n');
}

/** The server works as before, and only what it took is in the journal. */
async function stillWell(mta: Mta, sink: Sink, accepted: number): Promise<void> {
  const session = await mta.session();
  const sent = await submit(session, 'fine@to.test', mail('fine@to.test'));
  assert.ok(sent.recipients[0]?.ok);
  await session.quit();
  await mta.settled(accepted + 1);
  const events = await mta.end();
  assert.equal(ofType(events, 'accepted').length, accepted + 1);
  assert.equal(ofType(events, 'delivered').length, accepted + 1);
  assert.equal(sink.stats().recipients, accepted + 1);
}

const residentMb = (pid: number): number =>
  Number(/RssAnon:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;

const PATHS: readonly (readonly [string, string, RegExp])[] = [
  ['no domain', 'plain', /^50[01] 5\.\d\.\d .+/],
  ['two dots in a domain', 'a@b..test', /^5\d\d 5\.1\.[23] .+|^501 5\.\d\.\d .+/],
  ['a space in the local part', 'a b@c.test', /^5\d\d 5\.\d\.\d .+/],
  ['a control character', 'a\u0001@c.test', /^5\d\d 5\.\d\.\d .+/],
  ['an address literal', 'a@[127.0.0.1]', /^5\d\d 5\.\d\.\d .+/],
  ['a source route', '@x.test:a@c.test', /^5\d\d 5\.\d\.\d .+/],
  ['a local part of 65 octets', `${'a'.repeat(65)}@c.test`, /^5\d\d 5\.\d\.\d .+/],
  ['eight bits without SMTPUTF8', 'm\u00fcller@c.test', /^5\d\d 5\.\d\.\d .+/],
];

const LABELS: readonly (readonly [string, string, RegExp])[] = [
  ['sender', 'X-Postrider-Sender: shopp', /^550 5\.7\.1 .*shopp.*/],
  ['virtual sender', 'X-Postrider-Virtual-Sender: main', /^550 5\.7\.1 .*main.*/],
  ['label', 'X-Postrider-Campain: spring', /^550 5\.6\.0 .*X-Postrider-Campain.*/],
  ['time', 'X-Postrider-Deadline: tomorrow', /^550 5\.6\.0 .*X-Postrider-Deadline.*/],
];

describe('over SMTP', () => {
  test('malformed addresses', async (t) => {
    const { mta, sink } = await start(t);
    for (const [name, path, reply] of PATHS) {
      const talk = await greeted(mta);
      assert.match(await talk.ask(`MAIL FROM:<${path}>\r\n`), reply, `${name} as the sender`);
      assert.match(await talk.ask(`MAIL FROM:<${FROM}>\r\n`), /^250/);
      assert.match(await talk.ask(`RCPT TO:<${path}>\r\n`), reply, `${name} as a recipient`);
      assert.match(await talk.ask('DATA\r\n'), /^5\d\d/, 'no recipient is left');
      talk.socket.destroy();
    }
    await stillWell(mta, sink, 0);
  });

  test('missing and broken headers', async (t) => {
    const { mta, sink } = await start(t);
    const talk = await greeted(mta);
    assert.match(await deliver(talk, 'Subject: no From\r\n\r\nHello.'), /^554 5\.6\.0 .*no From field/);
    assert.match(
      await deliver(talk, `From: <${FROM}>\r\nFrom: <x@y.test>\r\n\r\nHello.`),
      /^554 5\.6\.0 .*more than one From/,
    );
    assert.match(await deliver(talk, 'From: nobody\r\n\r\nHello.'), /^554 5\.6\.0 .*From field is not valid/);
    assert.match(
      await deliver(talk, `From: <${FROM}>\r\nno field here\r\n\r\nHello.`),
      /^554 5\.6\.0 .*line 2 of the header/,
    );
    talk.socket.destroy();
    await stillWell(mta, sink, 0);
  });

  test('100 MB, announced and not', async (t) => {
    const { mta, sink } = await start(t);
    const talk = await greeted(mta);
    assert.match(await talk.ask(`MAIL FROM:<${FROM}> SIZE=${100 * MB}\r\n`), /^552 5\.3\.4 /);
    await talk.ask(`MAIL FROM:<${FROM}>\r\n`);
    await talk.ask('RCPT TO:<a@to.test>\r\n');
    await talk.ask('DATA\r\n');
    talk.send(`From: <${FROM}>\r\n\r\n`);
    const line = Buffer.from(`${'x'.repeat(MB - 2)}\r\n`);
    for (let i = 0; i < 100; i++)
      await new Promise<void>((resolve) => void talk.socket.write(line, () => resolve()));
    assert.match(await talk.ask('.\r\n'), /^552 5\.3\.4 /);
    assert.ok(residentMb(mta.pid) < 300, `${residentMb(mta.pid)} MB`);
    talk.socket.destroy();
    await stillWell(mta, sink, 0);
  });

  test('a header of 1 MB', async (t) => {
    const { mta, sink } = await start(t);
    const talk = await greeted(mta);
    const field = `X-Filler: ${'x'.repeat(900)}\r\n`.repeat(MB / 900);
    assert.match(
      await deliver(talk, `From: <${FROM}>\r\n${field}\r\nHello.`),
      /^552 5\.3\.4 .*header is larger than/,
    );
    talk.socket.destroy();
    await stillWell(mta, sink, 0);
  });

  test('NUL bytes', async (t) => {
    const { mta, sink } = await start(t);
    const talk = await greeted(mta);
    assert.match(await deliver(talk, `From: <${FROM}>\r\n\r\nHel\0lo.`), /^554 5\.6\.0 .*NUL/);
    talk.socket.destroy();
    await stillWell(mta, sink, 0);
  });

  for (const [name, field, reply] of LABELS)
    test(`an unknown ${name}`, async (t) => {
      const { mta, sink } = await start(t);
      const talk = await greeted(mta);
      assert.match(await deliver(talk, `From: <${FROM}>\r\n${field}\r\n\r\nHello.`), reply);
      talk.socket.destroy();
      await stillWell(mta, sink, 0);
    });

  test('5,000 recipients: those above the limit are told to come again', async (t) => {
    const { mta, sink } = await start(t);
    const talk = await greeted(mta);
    await talk.ask(`MAIL FROM:<${FROM}>\r\n`);
    const replies = { taken: 0, later: 0 };
    for (let i = 0; i < 5000; i++) {
      const reply = await talk.ask(`RCPT TO:<r${i}@to.test>\r\n`);
      if (reply.startsWith('250')) replies.taken++;
      else if (/^452 4\.5\.3 /.test(reply)) replies.later++;
      else assert.fail(reply);
    }
    assert.deepEqual(replies, { taken: 1000, later: 4000 });
    await talk.ask('DATA\r\n');
    assert.match(await talk.ask(`From: <${FROM}>\r\n\r\nHello.\r\n.\r\n`), /^250/);
    talk.socket.destroy();
    await stillWell(mta, sink, 1000);
  });
});

describe('a line of 1 MB', () => {
  const LINE = 'y'.repeat(MB);

  test('arrives unchanged where the receiver takes CHUNKING', async (t) => {
    const { mta, sink } = await start(t);
    const talk = await greeted(mta);
    assert.match(await deliver(talk, `From: <${FROM}>\r\n\r\n${LINE}`), /^250/);
    talk.socket.destroy();
    await mta.settled(1);
    assert.ok(sink.messages[0]?.content.includes(`\r\n\r\n${LINE}\r\n`));
    await stillWell(mta, sink, 1);
  });

  test('arrives unchanged where it does not', async (t) => {
    const { mta, sink } = await start(t, {}, { capabilities: { chunking: false } });
    const talk = await greeted(mta);
    assert.match(await deliver(talk, `From: <${FROM}>\r\n\r\n${LINE}`), /^250/);
    talk.socket.destroy();
    await mta.settled(1);
    assert.ok(sink.messages[0]?.content.includes(`\r\n\r\n${LINE}\r\n`));
    await stillWell(mta, sink, 1);
  });
});

describe('over the control socket', () => {
  const content = mail('a@to.test').toString();
  const message = (changes: object): string =>
    JSON.stringify({ envelope: { from: FROM, to: ['a@to.test'] }, content, ...changes });

  const REFUSED: readonly (readonly [string, string, number, RegExp])[] = [
    ['no JSON', '{"envelope": ', 400, /JSON/],
    ['a malformed recipient', message({ envelope: { from: FROM, to: ['b@'] } }), 400, /envelope\.to/],
    [
      'a malformed sender address',
      message({ envelope: { from: 'x', to: ['a@to.test'] } }),
      400,
      /envelope\.from/,
    ],
    ['no recipient', message({ envelope: { from: FROM, to: [] } }), 400, /envelope\.to/],
    ['no From', message({ content: 'Subject: x\r\n\r\nHello.\r\n' }), 400, /no From field/],
    ['an unknown sender', message({ sender: 'shopp' }), 400, /sender.*shopp/],
    ['an unknown virtual sender', message({ virtual_sender: 'main' }), 400, /virtual_sender.*main/],
    ['a NUL byte', message({ content: `From: <${FROM}>\r\n\r\n\0` }), 400, /NUL/],
    ['a NUL byte in a label', message({ campaign_id: 'a\0b' }), 400, /campaign_id/],
    [
      'a header of 1 MB',
      message({ content: `From: <${FROM}>\r\n${`X: ${'x'.repeat(900)}\r\n`.repeat(1200)}\r\n.` }),
      413,
      /header is larger/,
    ],
    [
      '5,000 recipients',
      message({ envelope: { from: FROM, to: Array.from({ length: 5000 }, (_, i) => `r${i}@to.test`) } }),
      400,
      /envelope\.to.*5000.*1000/,
    ],
    ['a misspelt field', message({ campain_id: 'x' }), 400, /campain_id/],
  ];

  test('everything that is refused names the field', async (t) => {
    const { mta, sink } = await start(t);
    for (const [name, body, status, words] of REFUSED) {
      const answer = await mta.api('/v1/messages', { body });
      assert.equal(answer.status, status, `${name}: ${answer.text}`);
      assert.match((answer.body as { error: { message: string } }).error.message, words, name);
    }
    await stillWell(mta, sink, 0);
  });

  test('one malformed recipient among others is named, the others get the message', async (t) => {
    const { mta, sink } = await start(t);
    const answer = await mta.api('/v1/messages', {
      body: message({ envelope: { from: FROM, to: ['a@to.test', 'b@'] } }),
    });
    assert.equal(answer.status, 202);
    const { deliveries, rejected } = answer.body as Record<string, { recipient: string; message?: string }[]>;
    assert.deepEqual(
      deliveries?.map(({ recipient }) => recipient),
      ['a@to.test'],
    );
    assert.deepEqual(
      rejected?.map(({ recipient }) => recipient),
      ['b@'],
    );
    assert.match(rejected?.[0]?.message ?? '', /domain/);
    await stillWell(mta, sink, 1);
  });

  test('100 MB', async (t) => {
    const { mta, sink } = await start(t);
    const answer = await mta
      .api('/v1/messages', { body: Buffer.alloc(100 * MB, 'x') })
      .catch((error: unknown) => error as Error);
    // A client that still writes when the answer comes may see the reset instead of it.
    if (answer instanceof Error) assert.match(answer.message, /EPIPE|ECONNRESET|socket hang up/);
    else assert.equal(answer.status, 413);
    await stillWell(mta, sink, 0);
  });

  test('wrong JSON in line 17 of a batch costs that line only', async (t) => {
    const { mta, sink } = await start(t);
    const lines = batch(40).split('\n');
    lines[16] = '{"to": "r15@to.test", "vars": {';
    lines[29] = '{"to": "nobody"}';
    const answer = await mta.api('/v1/batches', { type: 'application/x-ndjson', body: lines.join('\n') });
    assert.equal(answer.status, 200);
    const said = answer.text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { rejected?: unknown; done?: boolean; accepted?: number });
    const rejected = said.flatMap((line) =>
      Array.isArray(line.rejected)
        ? (line.rejected as { line: number; field: string; message: string }[])
        : [],
    );
    assert.deepEqual(
      rejected.map(({ line, field }) => [line, field]),
      [
        [17, ''],
        [30, 'to'],
      ],
    );
    assert.match(rejected[0]!.message, /JSON/);
    assert.deepEqual([said.at(-1)?.done, said.at(-1)?.accepted], [true, 38]);
    await mta.settled(38);
    await stillWell(mta, sink, 38);
  });

  test('a batch for 5,000 recipients is taken', async (t) => {
    const { mta, sink } = await start(t);
    const answer = await mta.api('/v1/batches', { type: 'application/x-ndjson', body: batch(5000) });
    assert.equal(answer.status, 200);
    await mta.settled(5000);
    assert.equal(sink.stats().duplicates, 0);
    await stillWell(mta, sink, 5000);
  });
});
