/**
 * The whole way round with other people's servers: they take our mail, cannot deliver it, and write their own reports,
 * which come back to our MX; a feedback report is made of a delivered mail by Python's email package.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { test, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import { exim, type MailServer, postfix, REPORTS_DOMAIN } from '../support/mail-servers.ts';
import { freePort, Mta, ofType, ownAddress } from '../support/mta.ts';
import { mail, receiver, routeTo, submit } from '../support/mta-world.ts';
import { plainMail, report } from '../support/reports.ts';

const PYTHON = '/usr/bin/python3';

async function openMta(
  t: TestContext,
  route: object,
  forward: { readonly forward_to?: string } = {},
): Promise<{ readonly mta: Mta; readonly mx: { readonly host: string; readonly port: number } }> {
  const host = ownAddress();
  const mx = { host, port: await freePort(host) };
  const mta = await Mta.start(t, {
    routes: [route],
    mx: { listen: [`${mx.host}:${mx.port}`], domains: [REPORTS_DOMAIN], ...forward },
    senders: [
      {
        name: 'shop',
        nodes: [{ node: 'n1' }],
        strategies: { default: 'unlimited' },
        return_path_domain: REPORTS_DOMAIN,
      },
    ],
  });
  return { mta, mx };
}

/** What becomes of each recipient: event, class, category. */
const ENDS: Readonly<Record<string, readonly [string, string, string]>> = {
  'nobody@to.test': ['hard_bounce', 'hard', 'bad_mailbox'],
  'anna@big.test': ['undelivered', 'other', 'too_large'],
};
/** Postfix tells the last refusal; Exim only that the time was up. */
const TEMPORARY: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  Postfix: { 'full@to.test': 'mailbox_full', 'anna@slow.test': 'network' },
  Exim: { 'full@to.test': 'expired', 'anna@slow.test': 'expired' },
};

const endsWith = (name: string): typeof ENDS => ({
  ...ENDS,
  ...Object.fromEntries(
    Object.entries(TEMPORARY[name]!).map(([to, category]) => [
      to,
      ['undelivered', 'soft', category] as const,
    ]),
  ),
});

function roundTrip(server: MailServer): void {
  test(`${server.name} cannot deliver our mail, and its reports find their deliveries`, async (t) => {
    if (server.missing !== undefined) {
      if (process.env.CI !== undefined) assert.fail(server.missing);
      t.skip(server.missing);
      return;
    }
    const small = await receiver(t, { maxMessageBytes: 1_000 });
    const [host, closed] = [ownAddress(), ownAddress()];
    const [port, closedPort] = [await freePort(host), await freePort(closed)];
    const { mta, mx } = await openMta(t, routeTo({ port }, '*', host));
    await server.start(t, { host, port, mx, smallPort: small.port, closedPort });
    const session = await mta.session();
    const ends = endsWith(server.name);
    for (const to of Object.keys(ends)) await submit(session, [to], mail(to, [], 'Hello.\r\n'.repeat(400)));
    await session.quit();
    const failures = (all: Parameters<Parameters<typeof mta.until>[0]>[0]) =>
      all.filter(({ corrects }) => corrects !== undefined);
    const events = await mta.until((all) => failures(all).length >= Object.keys(ends).length);
    const told = failures(events).map(({ recipient, type, bounce }) => [
      recipient,
      [type, bounce?.class, bounce?.category],
    ]);
    assert.deepEqual(Object.fromEntries(told), ends);
    for (const { corrects, delivery_id: id, report: about } of failures(events)) {
      const delivered = events.find(({ seq }) => seq === corrects);
      assert.deepEqual([delivered?.type, delivered?.delivery_id], ['delivered', id]);
      assert.equal(about?.reporting_mta, `${server.name.toLowerCase()}.far.test`);
    }
    assert.equal(ofType(await mta.end(), 'report_rejected').length, 0);
  });
}

for (const server of [postfix, exim]) roundTrip(server);

/** What Postfix sends back goes to the signed reverse-path: the mail before it was forwarded is not forwarded again. */
test('a mail that was forwarded and cannot be delivered comes back to its delivery, once', async (t) => {
  if (postfix.missing !== undefined) {
    if (process.env.CI !== undefined) assert.fail(postfix.missing);
    t.skip(postfix.missing);
    return;
  }
  const [host, closed] = [ownAddress(), ownAddress()];
  const [port, closedPort] = [await freePort(host), await freePort(closed)];
  const forward = { forward_to: 'full@to.test' };
  const { mta, mx } = await openMta(t, routeTo({ port }, '*', host), forward);
  await postfix.start(t, { host, port, mx, smallPort: closedPort, closedPort });
  const box = `desk@${REPORTS_DOMAIN}`;
  const question = plainMail(box, ['Subject: a question'], 'Long. '.repeat(1_000));
  await report(mx, box, question, 'anna@far.test');
  const events = await mta.until((all) => all.some(({ corrects }) => corrects !== undefined));
  const [forwarded] = ofType(events, 'delivered');
  const [failure] = events.filter(({ corrects }) => corrects !== undefined);
  assert.deepEqual(
    [failure!.type, failure!.delivery_id, failure!.recipient, failure!.bounce?.category],
    ['undelivered', forwarded!.delivery_id, 'full@to.test', 'mailbox_full'],
  );
  assert.equal(ofType(await mta.end(), 'accepted').length, 1);
});

/** Arguments: host, port and recipient of the report, whether it is redacted. The mail complained of is the input. */
const COMPLAIN = `
import smtplib, sys
from email import message_from_bytes, policy
from email.mime.base import MIMEBase
from email.mime.message import MIMEMessage
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
host, port, to, redacted = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4] == 'redacted'
mail = message_from_bytes(sys.stdin.buffer.read().replace(b'\\r\\n', b'\\n'), policy=policy.compat32)
recipient = mail['To']
if redacted:
    recipient = 'redacted@to.test'
    mail.replace_header('To', recipient)
report = MIMEMultipart('report', **{'report-type': 'feedback-report'})
report['From'], report['To'], report['Subject'] = 'fbl@far.test', to, 'FW: ' + mail['Subject']
report.attach(MIMEText('This is an email abuse report.'))
feedback = MIMEBase('message', 'feedback-report')
feedback.set_payload('Feedback-Type: abuse\\nUser-Agent: python/1\\nVersion: 1\\nOriginal-Rcpt-To: ' + recipient + '\\n')
report.attach(feedback)
report.attach(MIMEMessage(mail))
with smtplib.SMTP(host, port) as smtp:
    smtp.sendmail('fbl@far.test', [to], report.as_bytes().replace(b'\\n', b'\\r\\n'))
`;

test('a feedback report of Python finds the delivery, redacted too', async (t) => {
  if (!existsSync(PYTHON)) {
    if (process.env.CI !== undefined) assert.fail(`${PYTHON} is not installed`);
    t.skip(`${PYTHON} is not installed`);
    return;
  }
  const sink = await receiver(t, { keep: 10 });
  const { mta, mx } = await openMta(t, routeTo(sink));
  const session = await mta.session();
  const ways = { 'anna@to.test': 'open', 'bob@to.test': 'redacted' };
  for (const to of Object.keys(ways)) await submit(session, [to], mail(to));
  await session.quit();
  await mta.settled(2);
  for (const [to, way] of Object.entries(ways)) {
    const { content } = sink.messages.find(({ recipients }) => recipients.includes(to))!;
    const running = promisify(execFile)(PYTHON, [
      '-c',
      COMPLAIN,
      mx.host,
      `${mx.port}`,
      `fbl@${REPORTS_DOMAIN}`,
      way,
    ]);
    running.child.stdin!.end(content);
    await running;
  }
  const events = await mta.until((all) => ofType(all, 'complaint').length >= 2);
  const told = ofType(events, 'complaint').map(({ recipient, report }) => [recipient, report?.kind]);
  assert.deepEqual(
    told.sort(),
    Object.keys(ways).map((to) => [to, 'arf/abuse']),
  );
  await mta.end();
});
