/** Mail from strangers: no bytes make the parser throw, hang or return more than its bounds. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { parseReport } from '../../src/fbl/index.ts';

const line = fc.constantFrom(
  'From: MAILER-DAEMON@example.net',
  'To: b+0123456789abcdefghjkmnpqrstvwxyz012@bounce.example.com',
  'Subject: Undelivered Mail Returned to Sender',
  'Subject: =?utf-8?B?AAAA?= =?x?Q?=ff=?=',
  'Content-Type: multipart/report; boundary=b',
  'Content-Type: multipart/mixed; boundary="b',
  'Content-Type: message/delivery-status',
  'Content-Type: message/feedback-report',
  'Content-Type: message/rfc822',
  'Content-Type: text/html; charset=x-none',
  'Content-Type: text/plain; charset=iso-2022-jp',
  'Content-Transfer-Encoding: base64',
  'Content-Transfer-Encoding: quoted-printable',
  '',
  '--b',
  '--b--',
  'Final-Recipient: rfc822; a@b.example',
  'Action: failed',
  'Status: 5.1.1',
  'Diagnostic-Code: smtp; 550 5.1.1 no',
  ' continued',
  '<a@b.example>:',
  'The following recipients did not get your message:',
  '550 5.1.1 <a@b.example>... User unknown',
  'From x@y.example Thu Jan  1 00:00:00 1970',
  '--- Below this line is a copy of the message.',
  '=',
  '=00=ZZ',
);

function bounded(raw: Buffer): void {
  const report = parseReport(raw);
  assert.ok(report.tokenCandidates.length <= 20);
  if (report.kind !== 'dsn') return;
  assert.ok(report.recipients.length <= 100 && report.notice.length <= 2_000);
  for (const { diagnostic, address } of report.recipients)
    assert.ok(diagnostic.length <= 1_000 && (address ?? '').length <= 700);
}

describe('parseReport', () => {
  test('takes any bytes', () =>
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 4_000 }), (bytes) => bounded(Buffer.from(bytes))),
      { numRuns: 200 },
    ));

  test('takes any order of lines that mean something', () =>
    fc.assert(
      fc.property(
        fc.array(fc.oneof(line, fc.string({ unit: 'binary' })), { maxLength: 60 }),
        fc.boolean(),
        (lines, crlf) => bounded(Buffer.from(lines.join(crlf ? '\r\n' : '\n'))),
      ),
      { numRuns: 400 },
    ));

  const report = 'From: MAILER-DAEMON@example.net\nSubject: Undelivered Mail\n';
  const hostile: Readonly<Record<string, () => string>> = {
    '100,000 nested parts': () => 'Content-Type: multipart/mixed; boundary=b\n\n--b\n'.repeat(100_000),
    'nested messages': () => 'Content-Type: message/rfc822\n\n'.repeat(100_000),
    'a base64 body of 50 MB': () =>
      `${report}Content-Transfer-Encoding: base64\n\n${'QUFB'.repeat(13_000_000)}`,
    'a header without end': () => `${report}${'X-A: b\n'.repeat(500_000)}`,
    'a field without end': () => `${report}X-A: ${'a'.repeat(4_000_000)}`,
    'a folded field without end': () => `${report}X-A: b\n${' c\n'.repeat(1_000_000)}`,
    'one line of addresses': () => `${report}\n${'a@b.example '.repeat(300_000)}`,
    'one line of at signs': () => `${report}\n${'@'.repeat(1_000_000)}`,
    'one line of dots and at signs': () => `${report}\n${'a.'.repeat(300_000)}@${'a.'.repeat(300_000)}`,
    'one line of open tags': () => `${report}Content-Type: text/html\n\n${'<script'.repeat(300_000)}`,
    'blank lines': () => `${report}\n${' \n'.repeat(1_000_000)}`,
    'reply codes': () => `${report}\n${'550 '.repeat(500_000)}`,
    'lines that announce': () =>
      `${report}\n${'The following recipients could not be reached: <a@b.example>\n'.repeat(50_000)}`,
    'recipients without end': () =>
      `${report}Content-Type: message/delivery-status\n\n${'Final-Recipient: rfc822; a@b.example\nAction: failed\n\n'.repeat(80_000)}`,
    'quotes and backslashes': () => `Content-Type: multipart/mixed; ${'a="\\"\\;'.repeat(200_000)}\n\n`,
    'encoded words': () => `Subject: ${'=?utf-8?B?QUFB?= '.repeat(200_000)}\n\n`,
  };
  for (const [name, make] of Object.entries(hostile))
    test(`${name} take bounded time`, () => {
      const raw = Buffer.from(make());
      const before = process.cpuUsage();
      bounded(raw);
      const { user, system } = process.cpuUsage(before);
      assert.ok(user + system < 2_000_000, `${(user + system) / 1_000} ms`);
    });
});
