import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { createInjectionServer, type InjectionAccess } from '../../src/mta/ingress/index.ts';
import { type Talk, talkTo } from '../support/talk.ts';
import { type Desk, events, openDesk, stored, storedContent } from '../unit/ingress/fixture.ts';

const LOOPBACK = { address: '127.0.0.1', prefix: 32, family: 'ipv4' } as const;
const USERS = new Map([
  ['all', { password: 'open sesame', senders: [] }],
  ['news', { password: 'secret', senders: ['news'] }],
  ['empty', { password: '', senders: [] }],
]);

interface Door {
  readonly desk: Desk;
  readonly port: number;
  access: InjectionAccess;
}

async function openDoor(t: TestContext, { offerAuth = false, maxRecipients = 1_000 } = {}): Promise<Door> {
  const desk = await openDesk();
  const access: InjectionAccess = { relayFrom: offerAuth ? [] : [LOOPBACK], users: USERS };
  const door = { desk, port: 0, access };
  const server = createInjectionServer({
    hostname: 'mta.test',
    maxMessageBytes: 10_000,
    maxRecipients,
    injector: desk.injector,
    access: () => door.access,
    stopList: desk.queue.stopList,
    tls: undefined,
    offerAuth,
    onError: (error) => assert.fail(String(error)),
  });
  const bound = await server.listen({ host: '127.0.0.1', port: 0 });
  assert.ok(bound.ok);
  t.after(() => server.close({ drainMs: 0 }));
  door.port = bound.value.port;
  return door;
}

async function greeted(port: number): Promise<Talk> {
  const talk = await talkTo(port);
  await talk.expect(/^220 [^\r]*\r\n/);
  await talk.ask('EHLO app.test\r\n');
  return talk;
}

const plain = (user: string, password: string): string =>
  `AUTH PLAIN ${Buffer.from(`\0${user}\0${password}`).toString('base64')}\r\n`;

const MESSAGE = 'From: news@shop.test\r\nSubject: s\r\n\r\nHello.\r\n.\r\n';

async function submit(talk: Talk, ...recipients: string[]): Promise<string> {
  await talk.ask('MAIL FROM:<bounce@shop.test>\r\n');
  for (const recipient of recipients) await talk.ask(`RCPT TO:<${recipient}>\r\n`);
  assert.match(await talk.ask('DATA\r\n'), /^354/);
  return talk.ask(MESSAGE);
}

test('a message from relay_from is queued before its 250, which names it', async (t) => {
  const { desk, port } = await openDoor(t);
  const talk = await greeted(port);
  const reply = await submit(talk, 'a@one.test', 'b@TWO.test');
  const id = /^250 2\.0\.0 queued as ([0-9a-z]{11})\r\n$/.exec(reply)?.[1];
  assert.ok(id, reply);
  assert.equal(stored(desk, id, 2).record.recipient, 'b@two.test');
  assert.match(
    storedContent(desk, id),
    /^Received: from app\.test \(\[127\.0\.0\.1\]\)\r\n\tby mta\.test with ESMTP id /,
  );
});

test('others are told that relaying is denied, and who may', async (t) => {
  const door = await openDoor(t);
  door.access = { relayFrom: [{ address: '10.0.0.0', prefix: 8, family: 'ipv4' }], users: USERS };
  const talk = await greeted(door.port);
  assert.match(
    await talk.ask('MAIL FROM:<a@b.test>\r\n'),
    /^550 5\.7\.1 relaying denied: .*smtp\.relay_from/,
  );
  assert.match(await talk.ask('RCPT TO:<x@one.test>\r\n'), /^503 /);
  door.access = { relayFrom: [LOOPBACK], users: USERS };
  assert.match(await talk.ask('MAIL FROM:<a@b.test>\r\n'), /^250 /, 'a reload applies at once');
});

test('with users, a session has to authenticate first', async (t) => {
  const { desk, port } = await openDoor(t, { offerAuth: true });
  const talk = await greeted(port);
  assert.match(await talk.ask('MAIL FROM:<a@b.test>\r\n'), /^530 5\.7\.0 authentication required/);
  assert.match(await talk.ask(plain('all', 'wrong')), /^535 /);
  assert.match(await talk.ask(plain('nobody', '')), /^535 /);
  assert.match(await talk.ask(plain('all', 'open sesame')), /^235 /);
  assert.match(await submit(talk, 'a@one.test'), /^250 /);
  const id = events(desk)[0]!.message_id!;
  assert.match(storedContent(desk, id), / with ESMTPA id /);
});

test('a user without a password cannot log in', async (t) => {
  const { port } = await openDoor(t, { offerAuth: true });
  const talk = await greeted(port);
  assert.match(await talk.ask(plain('empty', '')), /^5\d\d /);
});

test('a user sends only as the senders that are his', async (t) => {
  const { desk, port } = await openDoor(t, { offerAuth: true });
  const talk = await greeted(port);
  await talk.ask(plain('news', 'secret'));
  assert.match(await submit(talk, 'a@one.test'), /^250 /);
  assert.equal(events(desk)[0]!.sender, 'news');
  await talk.ask('MAIL FROM:<bounce@shop.test>\r\n');
  await talk.ask('RCPT TO:<a@one.test>\r\n');
  await talk.ask('DATA\r\n');
  assert.match(
    await talk.ask(`X-Postrider-Sender: promo\r\n${MESSAGE}`),
    /^550 5\.7\.1 you may not use the sender "promo"/,
  );
  assert.equal(events(desk).length, 1);
});

test('what the queue would not take is refused at RCPT, not dropped behind a 250', async (t) => {
  const { desk, port } = await openDoor(t);
  const talk = await greeted(port);
  await talk.ask('MAIL FROM:<>\r\n');
  assert.match(await talk.ask('RCPT TO:<postmaster>\r\n'), /^250 /);
  assert.match(await talk.ask('RCPT TO:<a@[127.0.0.1]>\r\n'), /^5\d\d /);
  assert.match(await talk.ask('RCPT TO:<a@one.test>\r\n'), /^250 /);
  await talk.ask('DATA\r\n');
  assert.match(await talk.ask(MESSAGE), /^250 /);
  assert.deepEqual(
    events(desk).map(({ recipient }) => recipient),
    ['postmaster@mta.test', 'a@one.test'],
  );
});

test('more recipients than max_recipients get 452, the others are queued', async (t) => {
  const { desk, port } = await openDoor(t, { maxRecipients: 2 });
  const talk = await greeted(port);
  await talk.ask('MAIL FROM:<>\r\n');
  const replies: string[] = [];
  for (const name of ['a', 'b', 'c'])
    replies.push((await talk.ask(`RCPT TO:<${name}@one.test>\r\n`)).slice(0, 9));
  assert.deepEqual(replies, ['250 2.1.5', '250 2.1.5', '452 4.5.3']);
  await talk.ask('DATA\r\n');
  assert.match(await talk.ask(MESSAGE), /^250 /);
  assert.equal(events(desk).length, 2);
});

test('a store that fails is 452; the client may send again in the same session', async (t) => {
  const { desk, port } = await openDoor(t);
  const talk = await greeted(port);
  desk.kv.failures = 1;
  assert.match(await submit(talk, 'a@one.test'), /^452 4\.3\.1 the queue cannot store the message now/);
  assert.match(await submit(talk, 'a@one.test'), /^250 /);
  assert.equal(events(desk).length, 1);
});

test('a message that is refused names what is wrong', async (t) => {
  const { port } = await openDoor(t);
  const talk = await greeted(port);
  await talk.ask('MAIL FROM:<a@b.test>\r\n');
  await talk.ask('RCPT TO:<a@one.test>\r\n');
  await talk.ask('DATA\r\n');
  assert.match(await talk.ask('Subject: s\r\n\r\nx\r\n.\r\n'), /^554 5\.6\.0 the message has no From field/);
  await talk.ask('MAIL FROM:<a@b.test>\r\n');
  await talk.ask('RCPT TO:<a@one.test>\r\n');
  await talk.ask('DATA\r\n');
  assert.match(
    await talk.ask(`X-Postrider-Band: fast\r\n${MESSAGE}`),
    /^550 5\.6\.0 X-Postrider-Band must be one of/,
  );
});
