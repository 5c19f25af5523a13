/** Reports that are made to exhaust a parser, at the running server: it keeps answering, and other reports count. */
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { test } from 'node:test';
import { freePort, Mta, ofType, ownAddress } from '../support/mta.ts';
import { mail, receiver, routeTo, submit } from '../support/mta-world.ts';
import { dsn, report } from '../support/reports.ts';
import { Talk } from '../support/talk.ts';

const MB = 1024 * 1024;
const REPORT =
  'From: far@far.test\r\nSubject: failure\r\nMIME-Version: 1.0\r\n' +
  'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n';
const STATUS = '--b\r\nContent-Type: message/delivery-status\r\n';
const lines = (line: string, bytes: number): string => line.repeat(Math.ceil(bytes / line.length));

const HOSTILE = {
  'a report of 50 MB': () =>
    `${REPORT}${STATUS}\r\n${lines(`Final-Recipient: rfc822; a@to.test\r\nAction: failed\r\n\r\n`, 50 * MB)}`,
  '100,000 nested parts': () =>
    REPORT + '--b\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n'.repeat(100_000),
  '100,000 nested parts with boundaries of their own': () =>
    REPORT.replace('"b"', '"b0"') +
    Array.from(
      { length: 100_000 },
      (_, i) => `--b${i}\r\nContent-Type: multipart/mixed; boundary=b${i + 1}\r\n\r\n`,
    ).join(''),
  'base64 that becomes 30 MB of recipients': () => {
    const recipients = Buffer.from(lines('Final-Recipient: rfc822; a@to.test\r\n\r\n', 30 * MB));
    return `${REPORT}${STATUS}Content-Transfer-Encoding: base64\r\n\r\n${recipients
      .toString('base64')
      .replace(/.{76}/g, '$&\r\n')}\r\n`;
  },
};

test('the MX keeps answering while it reads them, and nothing it took is lost', async (t) => {
  const sink = await receiver(t, { keep: 10 });
  const mx = { host: ownAddress(), port: 0 };
  mx.port = await freePort(mx.host);
  const mta = await Mta.start(t, {
    routes: [routeTo(sink)],
    mx: {
      listen: [`${mx.host}:${mx.port}`],
      domains: ['bounce.test'],
      max_message_size: '60MB',
      quarantine_size: '200MB',
    },
    senders: [
      {
        name: 'shop',
        nodes: [{ node: 'n1' }],
        strategies: { default: 'unlimited' },
        return_path_domain: 'bounce.test',
      },
    ],
  });
  const talk = new Talk(connect({ ...mx, localAddress: '127.0.0.1' }));
  await talk.expect(/^220 [^\r]*\r\n/);
  await talk.ask('EHLO far.test\r\n');
  const hostile = Object.values(HOSTILE);
  for (const make of hostile) {
    await report(mx, 'any@bounce.test', Buffer.from(make()));
    assert.match(await talk.ask('NOOP\r\n'), /^250 /);
  }
  const session = await mta.session();
  await submit(session, ['dead@to.test'], mail('dead@to.test'));
  await session.quit();
  await sink.until(({ messages }) => messages >= 1);
  await mta.settled(1);
  const { from } = sink.messages[0]!;
  await report(mx, from, dsn({ to: from, recipient: 'dead@to.test' }));
  const events = await mta.until(
    (all) => ofType(all, 'hard_bounce').length > 0 && ofType(all, 'report_rejected').length >= hostile.length,
  );
  const rejected = ofType(events, 'report_rejected');
  assert.equal(rejected.length, hostile.length);
  // A machine that is very slow may not read one in time.
  for (const { reason, report: one } of rejected) {
    assert.match(String(reason), /^(?:unverified|not_a_report|unreadable)$/);
    assert.ok(one?.kept !== undefined, 'it is kept apart');
  }
  assert.equal(ofType(events, 'hard_bounce')[0]!.recipient, 'dead@to.test');
  assert.match(await talk.ask('QUIT\r\n'), /^221 /);
  await mta.end();
});
