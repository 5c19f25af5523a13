import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { type Talk, talkTo } from '../support/talk.ts';
import { type Door, LOOPBACK, openDoor as openDoorOf, WAYS, type Wish } from '../unit/ingress/door.ts';
import { events, stored, storedContent } from '../unit/ingress/fixture.ts';

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

for (const way of WAYS)
  describe(`with ${way}`, () => {
    const openDoor = (t: TestContext, wish: Wish = {}): Promise<Door> => openDoorOf(t, way, wish);

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
      const { door, rules, port } = await openDoor(t);
      await door.configure({ ...rules, relayFrom: [{ address: '10.0.0.0', prefix: 8, family: 'ipv4' }] });
      const talk = await greeted(port);
      assert.match(
        await talk.ask('MAIL FROM:<a@b.test>\r\n'),
        /^550 5\.7\.1 relaying denied: .*smtp\.relay_from/,
      );
      assert.match(await talk.ask('RCPT TO:<x@one.test>\r\n'), /^503 /);
      await door.configure({ ...rules, relayFrom: [LOOPBACK] });
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

    test('a user names only the accounts that are his, and need not where there is one', async (t) => {
      const { desk, port } = await openDoor(t, { offerAuth: true });
      for (const [user, account, answer] of [
        ['acme', undefined, /^250 /],
        ['acme', 'acme', /^250 /],
        ['acme', 'bolt', /^550 5\.7\.1 name an account that you may use: acme\r/],
        ['both', 'bolt', /^250 /],
        ['both', undefined, /^550 5\.7\.1 name an account that you may use: acme, bolt\r/],
        ['all', 'carl', /^250 /],
      ] as const) {
        const talk = await greeted(port);
        await talk.ask(plain(user, user === 'all' ? 'open sesame' : 'secret'));
        await talk.ask('MAIL FROM:<bounce@shop.test>\r\n');
        await talk.ask('RCPT TO:<a@one.test>\r\n');
        await talk.ask('DATA\r\n');
        const field = account === undefined ? '' : `X-Postrider-Account: ${account}\r\n`;
        assert.match(await talk.ask(`${field}${MESSAGE}`), answer, `${user} ${account}`);
      }
      assert.deepEqual(
        events(desk).map(({ account_id }) => account_id),
        ['acme', 'acme', 'bolt', 'carl'],
      );
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

    test('a recipient on the stop list is refused at RCPT, also when the list was empty before', async (t) => {
      const { desk, port } = await openDoor(t);
      const talk = await greeted(port);
      assert.match(await submit(talk, 'a@one.test'), /^250 /);
      await desk.queue.stopList.add([{ kind: 'address', value: 'a@one.test', source: 'operator', at: 0 }]);
      await talk.ask('MAIL FROM:<a@b.test>\r\n');
      assert.match(
        await talk.ask('RCPT TO:<a@one.test>\r\n'),
        /^550 5\.7\.1 the address is on the stop list/,
      );
      assert.match(await talk.ask('RCPT TO:<b@one.test>\r\n'), /^250 /);
    });

    test('a message that is sent again under its key has the id of the first one', async (t) => {
      const { desk, port } = await openDoor(t);
      const talk = await greeted(port);
      const replies: string[] = [];
      for (const subject of ['s', 's', 'another']) {
        await talk.ask('MAIL FROM:<a@b.test>\r\n');
        await talk.ask('RCPT TO:<a@one.test>\r\n');
        await talk.ask('DATA\r\n');
        const fields = `X-Postrider-Idempotency-Key: k1\r\nFrom: a@b.test\r\nSubject: ${subject}\r\n`;
        replies.push(await talk.ask(`${fields}\r\nHello.\r\n.\r\n`));
      }
      assert.match(replies[0]!, /^250 2\.0\.0 queued as /);
      assert.equal(replies[1], replies[0]);
      assert.match(replies[2]!, /^554 5\.6\.0 was used for another request/);
      assert.equal(events(desk).length, 1);
    });

    test('a key of one user means nothing for another', async (t) => {
      const { desk, port } = await openDoor(t, { offerAuth: true });
      const queued = new Set<string>();
      for (const [user, password] of [
        ['all', 'open sesame'],
        ['news', 'secret'],
      ] as const) {
        const talk = await greeted(port);
        assert.match(await talk.ask(plain(user, password)), /^235 /);
        await talk.ask('MAIL FROM:<a@b.test>\r\n');
        await talk.ask('RCPT TO:<a@one.test>\r\n');
        await talk.ask('DATA\r\n');
        const reply = await talk.ask(
          'X-Postrider-Idempotency-Key: k1\r\nFrom: a@b.test\r\n\r\nHello.\r\n.\r\n',
        );
        assert.match(reply, /^250 2\.0\.0 queued as /);
        queued.add(reply);
      }
      assert.equal(queued.size, 2);
      assert.equal(events(desk).length, 2);
    });

    test('the end waits for the message under way, and takes no other', async (t) => {
      const { desk, door, port } = await openDoor(t);
      const idle = await greeted(port);
      const busy = await greeted(port);
      await busy.ask('MAIL FROM:<a@b.test>\r\n');
      await busy.ask('RCPT TO:<a@one.test>\r\n');
      await busy.ask('DATA\r\n');
      const closed = door.close({ drainMs: 60_000 });
      assert.match(await idle.ended(), /^421 /);
      assert.match(await busy.ask(MESSAGE), /^250 /);
      assert.match(await busy.ended(), /^421 /);
      await closed;
      assert.equal(events(desk).length, 1);
    });

    test('a second close cuts what the first one waits for', async (t) => {
      const { door, port } = await openDoor(t);
      const talk = await greeted(port);
      await talk.ask('MAIL FROM:<a@b.test>\r\n');
      const closed = door.close({ drainMs: 60_000 });
      await door.close({ drainMs: 0 });
      await closed;
      await talk.ended();
    });

    test('a message that is refused names what is wrong', async (t) => {
      const { port } = await openDoor(t);
      const talk = await greeted(port);
      await talk.ask('MAIL FROM:<a@b.test>\r\n');
      await talk.ask('RCPT TO:<a@one.test>\r\n');
      await talk.ask('DATA\r\n');
      assert.match(
        await talk.ask('Subject: s\r\n\r\nx\r\n.\r\n'),
        /^554 5\.6\.0 the message has no From field/,
      );
      await talk.ask('MAIL FROM:<a@b.test>\r\n');
      await talk.ask('RCPT TO:<a@one.test>\r\n');
      await talk.ask('DATA\r\n');
      assert.match(
        await talk.ask(`X-Postrider-Band: fast\r\n${MESSAGE}`),
        /^550 5\.6\.0 X-Postrider-Band must be one of/,
      );
    });
  });
