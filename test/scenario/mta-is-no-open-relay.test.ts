/** Mail is taken from the networks of relay_from and from users who have said their password, from nobody else. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { makeCertificate, type Sink } from '../../src/testbed/index.ts';
import { Mta } from '../support/mta.ts';
import { FROM, receiver, routeTo } from '../support/mta-world.ts';
import type { Talk } from '../support/talk.ts';

const STRANGER = '127.0.0.9';
const plain = (user: string, password: string): string =>
  Buffer.from(`\0${user}\0${password}`).toString('base64');

async function start(t: TestContext, smtp: object): Promise<{ mta: Mta; sink: Sink }> {
  const sink = await receiver(t, { keep: 5 });
  const mta = await Mta.prepare(t, {
    routes: [routeTo(sink)],
    smtp: { relay_from: ['127.0.0.1/32'], ...smtp },
    senders: ['shop', 'other'].map((name) => ({
      name,
      nodes: [{ node: 'n1' }],
      strategies: { default: 'unlimited' },
    })),
    virtual_senders: [
      { name: 'main', rules: [{ when: 'default', senders: [{ sender: 'shop', percent: 100 }] }] },
    ],
  });
  writeFileSync(join(mta.dir, 'password'), 'correct horse\n', { mode: 0o600 });
  const { cert, key } = makeCertificate({ names: ['mta.test'] });
  writeFileSync(join(mta.dir, 'cert.pem'), cert);
  writeFileSync(join(mta.dir, 'key.pem'), key, { mode: 0o600 });
  await mta.start();
  return { mta, sink };
}

const AUTH = { auth: [{ user: 'app', password_file: 'password', senders: ['shop', 'main'] }] };
const TLS = { tls: { cert_file: 'cert.pem', key_file: 'key.pem' } };

async function hello(mta: Mta, from: string): Promise<{ talk: Talk; offers: string }> {
  const talk = await mta.talk(from);
  await talk.expect(/220 .*\r\n/);
  return { talk, offers: await talk.ask('EHLO app.test\r\n') };
}

/** Sends a message with the labels given; the reply to its end. */
async function send(talk: Talk, fields = ''): Promise<string> {
  assert.match(await talk.ask(`MAIL FROM:<${FROM}>\r\n`), /^250/);
  assert.match(await talk.ask('RCPT TO:<a@to.test>\r\n'), /^250/);
  await talk.ask('DATA\r\n');
  return talk.ask(`From: <${FROM}>\r\n${fields}\r\nHello.\r\n.\r\n`);
}

test('a stranger is refused, whatever it says of itself', async (t) => {
  const { mta, sink } = await start(t, {});
  const { talk, offers } = await hello(mta, STRANGER);
  assert.doesNotMatch(offers, /AUTH/);
  for (const path of [`<${FROM}>`, '<>', '<postmaster@mta.test>'])
    assert.match(await talk.ask(`MAIL FROM:${path}\r\n`), /^550 5\.7\.1 .*relay_from/);
  assert.match(await talk.ask('RCPT TO:<a@to.test>\r\n'), /^503/);
  assert.match(await talk.ask('DATA\r\n'), /^503/);
  talk.socket.destroy();
  const inside = await hello(mta, '127.0.0.1');
  assert.match(await send(inside.talk), /^250/);
  inside.talk.socket.destroy();
  await mta.settled(1);
  await mta.end();
  assert.equal(sink.stats().messages, 1);
});

describe('a user', () => {
  test('sends after AUTH PLAIN under STARTTLS', async (t) => {
    const { mta, sink } = await start(t, { ...AUTH, ...TLS });
    const { talk, offers } = await hello(mta, STRANGER);
    assert.match(offers, /STARTTLS/);
    assert.match(await talk.ask(`MAIL FROM:<${FROM}>\r\n`), /^530 5\.7\.0 /);
    assert.match(await talk.ask('STARTTLS\r\n'), /^220/);
    await talk.startTls();
    assert.match(await talk.ask('EHLO app.test\r\n'), /AUTH.* PLAIN/);
    assert.match(await talk.ask(`AUTH PLAIN ${plain('app', 'correct horse')}\r\n`), /^235/);
    assert.match(await send(talk), /^250/);
    talk.socket.destroy();
    await mta.settled(1);
    await mta.end();
    assert.match(sink.messages[0]!.content.toString('latin1'), /with ESMTPSA id/);
  });

  test('is refused with a wrong password and as somebody unknown', async (t) => {
    const { mta, sink } = await start(t, { ...AUTH, ...TLS });
    for (const [user, password] of [
      ['app', 'wrong'],
      ['app', ''],
      ['root', 'correct horse'],
      ['', ''],
    ] as const) {
      const { talk } = await hello(mta, STRANGER);
      await talk.ask('STARTTLS\r\n');
      await talk.startTls();
      await talk.ask('EHLO app.test\r\n');
      assert.match(await talk.ask(`AUTH PLAIN ${plain(user, password)}\r\n`), /^(535|501) /, user);
      assert.match(await talk.ask(`MAIL FROM:<${FROM}>\r\n`), /^530/);
      talk.socket.destroy();
    }
    await mta.end();
    assert.equal(sink.stats().messages, 0);
  });

  test('sends as the senders that it may use, and as no other', async (t) => {
    const { mta, sink } = await start(t, { ...AUTH, ...TLS });
    const { talk } = await hello(mta, STRANGER);
    await talk.ask('STARTTLS\r\n');
    await talk.startTls();
    await talk.ask('EHLO app.test\r\n');
    await talk.ask(`AUTH PLAIN ${plain('app', 'correct horse')}\r\n`);
    assert.match(await send(talk, 'X-Postrider-Sender: other\r\n'), /^550 5\.7\.1 .*other/);
    assert.match(await send(talk, 'X-Postrider-Sender: shop\r\n'), /^250/);
    talk.socket.destroy();
    await mta.settled(1);
    await mta.end();
    assert.equal(sink.stats().messages, 1);
  });

  test('may say the password without TLS on the loopback interface', async (t) => {
    const { mta, sink } = await start(t, AUTH);
    const { talk, offers } = await hello(mta, STRANGER);
    assert.match(offers, /AUTH.* PLAIN/);
    assert.match(await talk.ask(`AUTH PLAIN ${plain('app', 'correct horse')}\r\n`), /^235/);
    assert.match(await send(talk), /^250/);
    talk.socket.destroy();
    await mta.settled(1);
    await mta.end();
    assert.match(sink.messages[0]!.content.toString('latin1'), /with ESMTPA id/);
  });
});
