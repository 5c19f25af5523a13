import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseReport } from '../../../src/fbl/index.ts';

const lines = (...text: string[]): Buffer => Buffer.from(text.join('\r\n'));
const TOKEN = 'b+0123456789abcdefghjkmnpqrstvwxyz012@bounce.example.com';

const DSN = lines(
  'From: MAILER-DAEMON@mx.example.net (Mail Delivery System)',
  `To: ${TOKEN}`,
  'Subject: Undelivered Mail Returned to Sender',
  'Message-ID: <r1@mx.example.net>',
  'Content-Type: multipart/report; report-type=delivery-status; boundary="b1"',
  '',
  '--b1',
  '',
  'It could not be delivered.',
  '--b1',
  'Content-Type: message/delivery-status',
  '',
  'Reporting-MTA: dns; mx.example.net',
  '',
  'Original-Recipient: rfc822;Anna@Example.net',
  'Final-Recipient: rfc822; anna.b@example.net',
  'Action: failed',
  'Status: 5.0.0',
  'Remote-MTA: dns; mx2.example.net',
  'Diagnostic-Code: smtp; 550 5.1.1 <anna.b@example.net>: no',
  ' such user',
  '',
  'Final-Recipient: rfc822; bert@example.net',
  'Action: delayed',
  'Status: 4.2.2',
  '--b1',
  'Content-Type: message/rfc822',
  '',
  'From: us@example.com',
  'To: anna@example.net',
  'Message-ID: <m1@example.com>',
  '',
  'Hello',
  '--b1--',
  '',
);

describe('parseReport', () => {
  test('reads every recipient of a delivery status part, and the original mail', () => {
    const report = parseReport(DSN);
    assert.equal(report.kind, 'dsn');
    if (report.kind !== 'dsn') return;
    assert.deepEqual(report.recipients, [
      {
        address: 'anna.b@example.net',
        original: 'Anna@Example.net',
        final: 'anna.b@example.net',
        action: 'failed',
        status: '5.1.1',
        replyCode: 550,
        diagnostic: '550 5.1.1 <anna.b@example.net>: no such user',
        remoteMta: 'mx2.example.net',
      },
      {
        address: 'bert@example.net',
        original: undefined,
        final: 'bert@example.net',
        action: 'delayed',
        status: '4.2.2',
        replyCode: undefined,
        diagnostic: '',
        remoteMta: undefined,
      },
    ]);
    assert.equal(report.reportingMta, 'mx.example.net');
    assert.equal(report.original?.messageId, 'm1@example.com');
    assert.deepEqual(report.tokenCandidates, [TOKEN]);
  });

  test('an automatic reply is no bounce', () => {
    const report = parseReport(
      lines(
        'From: anna@example.net',
        'Subject: Out of office: Hello',
        'Auto-Submitted: auto-replied',
        '',
        'Back on Monday.',
      ),
    );
    assert.equal(report.kind, 'auto_reply');
  });

  test('a complaint may be the mail itself, with the stamp of Outlook in front of its header', () => {
    const report = parseReport(
      lines(
        'Return-Path: <staff@hotmail.com>',
        'X-HmXmrOriginalRecipient: anna@hotmail.example',
        'From: news@example.com',
        'To: Customers <list@example.com>',
        `Postrider-Delivery: ${TOKEN}`,
        'Message-ID: <m1@example.com>',
        'Subject: News of the week',
        '',
        'Unsubscribe here.',
      ),
    );
    assert.equal(report.kind, 'arf');
    if (report.kind !== 'arf') return;
    assert.deepEqual(report.recipients, ['anna@hotmail.example']);
    assert.equal(report.original?.messageId, 'm1@example.com');
    assert.deepEqual(report.tokenCandidates, [TOKEN]);
  });
});
