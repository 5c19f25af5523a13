/** What arrives has Received, Date and Message-ID, nothing that was meant for us alone, and proper line ends. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Mta } from '../support/mta.ts';
import { FROM, mail, receiver, routeTo, submit } from '../support/mta-world.ts';

const fieldsOf = (content: Buffer): string[] => {
  const header = content.toString('latin1').split('\r\n\r\n')[0]!;
  return header.replaceAll(/\r\n[ \t]/g, ' ').split('\r\n');
};
const named = (fields: readonly string[], name: string): string[] =>
  fields
    .filter((field) => field.toLowerCase().startsWith(`${name}:`))
    .map((field) => field.slice(name.length + 2));

test('what is missing is added, what is there stays, what is private goes', async (t) => {
  const sink = await receiver(t, { keep: 2 });
  const mta = await Mta.start(t, { routes: [routeTo(sink)] });
  const session = await mta.session();
  const labels = [
    'Bcc: secret@to.test',
    'X-Postrider-Campaign: spring',
    'X-POSTRIDER-Account: shop',
    'X-Postrider-Metadata: {"a":\r\n 1}',
    'Return-Path: <x@y.test>',
    'X-Other: stays',
  ];
  const own = ['Message-ID: <own@shop.test>', 'Date: Thu, 01 Jan 2026 10:00:00 +0100'];
  for (const fields of [labels, own])
    assert.ok((await submit(session, ['a@to.test'], mail('a@to.test', fields))).recipients[0]?.ok);
  await session.quit();
  await mta.settled(2);
  const events = await mta.end();

  const [bare, given] = [...sink.messages]
    .map(({ content }) => fieldsOf(content))
    .sort((a, b) => named(b, 'x-other').length - named(a, 'x-other').length);
  const { message_id: id } = events.find((event) => event.campaign_id === 'spring')!;
  assert.deepEqual(named(bare!, 'message-id'), [`<${id}@mta.test>`]);
  assert.equal(named(bare!, 'date').length, 1);
  assert.ok(Math.abs(Date.parse(named(bare!, 'date')[0]!) - Date.now()) < 3600e3);
  assert.match(
    named(bare!, 'received').join(),
    new RegExp(`^from app\\.test \\(\\[127\\.0\\.0\\.1\\]\\) by mta\\.test with ESMTP id ${id}; `),
  );
  assert.deepEqual(named(bare!, 'x-other'), ['stays']);
  assert.deepEqual(
    bare!.filter((field) => /^(bcc|return-path|x-postrider-)/i.test(field)),
    [],
  );
  assert.doesNotMatch(
    sink.messages.map(({ content }) => content.toString()).join(),
    /secret@to|x-postrider/i,
  );
  assert.deepEqual(named(given!, 'message-id'), ['<own@shop.test>']);
  assert.deepEqual(named(given!, 'date'), ['Thu, 01 Jan 2026 10:00:00 +0100']);
  assert.deepEqual(events.find(({ campaign_id }) => campaign_id === 'spring')?.metadata, { a: 1 });
});

/** Bytes that a careless receiver would take for the end of the message, followed by a forged one. */
const SMUGGLED = `MAIL FROM:<forged@shop.test>\r\nRCPT TO:<victim@to.test>\r\nDATA\r\nFrom: x\r\n\r\nforged\r\n.\r\n`;

test('a bare CR or LF never passes, and no message can be smuggled in with one', async (t) => {
  const sink = await receiver(t, { keep: 20, bareLineEnds: 'keep' });
  const mta = await Mta.start(t, { routes: [routeTo(sink)] });
  const ends = ['\n.\n', '\n.\r\n', '\r.\r', '\r\n.\r', '\r\n.\n', '\r\r\n.\r\r\n'];
  for (const end of ends) {
    const talk = await mta.talk();
    await talk.expect(/220 .*\r\n/);
    await talk.ask('EHLO app.test\r\n');
    await talk.ask(`MAIL FROM:<${FROM}>\r\n`);
    await talk.ask('RCPT TO:<a@to.test>\r\n');
    await talk.ask('DATA\r\n');
    const reply = await talk.ask(`From: <${FROM}>\r\n\r\nHello.${end}${SMUGGLED}`);
    assert.match(reply, /^550 5\.6\.0 /, JSON.stringify(end));
    assert.match(await talk.ask('NOOP\r\n'), /^250/, 'one reply to one message');
    talk.socket.destroy();
  }
  const content = `From: <${FROM}>\nTo: <a@to.test>\n\nline one\nline two\rline three\r\n.\n`;
  const answer = await mta.api('/v1/messages', {
    body: JSON.stringify({ envelope: { from: FROM, to: ['a@to.test'] }, content }),
  });
  assert.equal(answer.status, 202);
  await mta.settled(1);
  await mta.end();
  assert.deepEqual(
    sink.messages.map(({ recipients }) => recipients),
    [['a@to.test']],
  );
  const arrived = sink.messages[0]!.content.toString('latin1');
  assert.doesNotMatch(arrived, /[^\r]\n|\r[^\n]/);
  assert.ok(arrived.endsWith('\r\n\r\nline one\r\nline two\r\nline three\r\n.\r\n'));
});
