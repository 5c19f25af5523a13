/** Reports about our mail, written by hand as mail systems write them, and the way to hand them over. */
import assert from 'node:assert/strict';
import {
  DEFAULT_TIMEOUTS,
  openSession,
  type ClientSession,
  type TransactionResult,
} from '../../src/mta/smtp/index.ts';

const lines = (...text: readonly string[]): Buffer => Buffer.from(`${text.join('\r\n')}\r\n`, 'latin1');

export interface DsnWish {
  readonly to: string;
  readonly recipient?: string;
  readonly action?: string;
  readonly status?: string;
  readonly text?: string;
  readonly original?: string;
}

/** RFC 3464. */
export const dsn = (wish: DsnWish): Buffer => {
  const { to, recipient = 'a@to.test', action = 'failed', status = '5.1.1' } = wish;
  return lines(
    'From: Mail Delivery System <MAILER-DAEMON@far.test>',
    `To: ${to}`,
    'Subject: Undelivered Mail Returned to Sender',
    'MIME-Version: 1.0',
    'Content-Type: multipart/report; report-type=delivery-status; boundary="b"',
    '',
    '--b',
    '',
    'It could not be delivered.',
    '--b',
    'Content-Type: message/delivery-status',
    '',
    'Reporting-MTA: dns; far.test',
    '',
    `Final-Recipient: rfc822; ${recipient}`,
    `Action: ${action}`,
    `Status: ${status}`,
    'Remote-MTA: dns; inner.far.test',
    `Diagnostic-Code: smtp; ${wish.text ?? '550 5.1.1 no such user here'}`,
    '',
    '--b',
    'Content-Type: message/rfc822',
    '',
    wish.original ?? 'Subject: hidden',
    '',
    '--b--',
  );
};

/** RFC 5965, the recipient redacted; `original` is the header that came back. */
export const arf = (to: string, original: string, type = 'abuse'): Buffer =>
  lines(
    'From: feedback@far.test',
    `To: ${to}`,
    'Subject: FW: complaint',
    'MIME-Version: 1.0',
    'Content-Type: multipart/report; report-type=feedback-report; boundary="b"',
    '',
    '--b',
    '',
    'This is an email abuse report.',
    '--b',
    'Content-Type: message/feedback-report',
    '',
    `Feedback-Type: ${type}`,
    'User-Agent: Far/1',
    'Version: 1',
    'Original-Rcpt-To: redacted@to.test',
    '',
    '--b',
    'Content-Type: message/rfc822',
    '',
    original,
    '',
    'Body.',
    '--b--',
  );

export const plainMail = (to: string, fields: readonly string[], body = 'Hello'): Buffer =>
  lines('From: Anna <anna@far.test>', `To: ${to}`, ...fields, '', body);

export interface Address {
  readonly host: string;
  readonly port: number;
}

export async function reporter(address: Address): Promise<ClientSession> {
  const opened = await openSession({
    host: 'localhost',
    address: address.host,
    port: address.port,
    localAddress: '127.0.0.1',
    heloName: 'far.test',
    tls: 'none',
    timeouts: DEFAULT_TIMEOUTS,
  });
  return opened.ok ? opened.value : assert.fail(opened.error.text);
}

export const handOver = (
  session: ClientSession,
  to: string,
  content: Buffer,
  from = '',
): Promise<TransactionResult> =>
  session.send({
    from,
    recipients: [to],
    content: [content],
    bytes: content.length,
    dotLine: true,
    eightBit: false,
    smtpUtf8: false,
  });

/** Hands one over in a session of its own; it must be taken. */
export async function report(address: Address, to: string, content: Buffer, from = ''): Promise<void> {
  const session = await reporter(address);
  const [result] = (await handOver(session, to, content, from)).recipients;
  assert.ok(result?.ok, JSON.stringify(result));
  await session.quit();
}
