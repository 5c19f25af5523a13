/** No known false end of data ends it, at the door for our own mail or at the one for reports (SMTP smuggling). */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { test } from 'node:test';
import { freePort, Mta, ofType, ownAddress } from '../support/mta.ts';
import { receiver, routeTo } from '../support/mta-world.ts';
import { Talk } from '../support/talk.ts';

const file = new URL('../../../shared/corpus/smtp/end_of_data_sequences.json', import.meta.url);
const skip = existsSync(file) ? false : 'the corpus of third-party samples is not here';

const SMUGGLED = 'MAIL FROM:<evil@x.test>\r\nRCPT TO:<evil@x.test>\r\nDATA\r\nSubject: evil\r\n\r\nevil';
/** A dot as a client sends it. */
const STUFFED = '\r\n..\r\n';
const HEADER = 'From: news@shop.test\r\nSubject: s\r\n\r\na';

/** Hands one content over, cut in two, and gives all replies to it. */
async function replies(
  address: { host: string; port: number },
  to: string,
  content: string,
): Promise<string> {
  const talk = new Talk(connect({ ...address, localAddress: '127.0.0.1', noDelay: true }));
  await once(talk.socket, 'connect');
  await talk.expect(/^220 [^\r]*\r\n/);
  await talk.ask('EHLO far.test\r\n');
  await talk.ask('MAIL FROM:<news@shop.test>\r\n');
  assert.match(await talk.ask(`RCPT TO:<${to}>\r\n`), /^250/);
  assert.match(await talk.ask('DATA\r\n'), /^354/);
  const cut = content.indexOf(SMUGGLED);
  talk.send(content.slice(0, cut));
  talk.send(`${content.slice(cut)}\r\n.\r\n`);
  // The reply to the true end has come when there is one to what follows it.
  talk.send('QUIT\r\n');
  const [answers] = (await talk.expect(/(?:^|\r\n)221 [^\r]*\r\n/)).split(/(?<=\r\n)221 /);
  talk.socket.end();
  return answers!;
}

test('what follows a false end of data is content', { skip }, async (t) => {
  const rows = JSON.parse(readFileSync(file, 'utf8')) as { seq: string }[];
  assert.ok(rows.length > 0);
  const sink = await receiver(t, { keep: 100 });
  const host = ownAddress();
  const mx = { host, port: await freePort(host) };
  const mta = await Mta.start(t, {
    routes: [routeTo(sink)],
    mx: { listen: [`${mx.host}:${mx.port}`], domains: ['bounce.test'] },
  });
  const taken = { own: 0, reports: 0 };
  const doors = [
    ['own', mta.smtp, 'a@to.test'],
    ['reports', mx, 'any@bounce.test'],
  ] as const;
  for (const [door, address, to] of doors)
    for (const seq of [...rows.map((row) => row.seq), STUFFED])
      for (const before of [HEADER, '']) {
        const text = await replies(address, to, before + seq + SMUGGLED);
        const what = `${door}, ${JSON.stringify(before + seq)}: ${text}`;
        assert.match(text, /^[25]\d\d [^\r]*\r\n$/, `one reply to one message; ${what}`);
        if (/\r(?!\n)|(?<!\r)\n/.test(seq)) assert.match(text, /^5/, `a CR or LF that stands alone; ${what}`);
        if (text.startsWith('2')) taken[door]++;
      }
  assert.ok(taken.own > 0 && taken.reports > 0, 'harmless content is taken');
  const events = await mta.until(
    (all) =>
      ofType(all, 'delivered').length >= taken.own && ofType(all, 'report_rejected').length >= taken.reports,
  );
  assert.deepEqual(
    ofType(events, 'accepted').map(({ recipient }) => recipient),
    Array<string>(taken.own).fill('a@to.test'),
  );
  for (const { recipients, content } of sink.messages) {
    assert.deepEqual(recipients, ['a@to.test']);
    assert.ok(content.includes(SMUGGLED), 'all of it is the content of the one message');
  }
  await mta.end();
});
