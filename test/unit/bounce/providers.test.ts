/** Replies that mean something else when a certain provider gives them: with the ISP, and without. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Classifier, isGeneral, ispsOf, shippedPatterns } from '../../../src/bounce/index.ts';
import { shippedIsps } from '../../../src/config/shipped.ts';
import { refused } from './refused.ts';

/** Reply, what it means at the ISP, what it means elsewhere. */
type Row = readonly [line: string, here: string, elsewhere: string];

const AT: Readonly<Record<string, readonly Row[]>> = {
  gmail: [
    ['421 4.7.0 192.0.2.1 Try again later, closing connection. id-1', 'soft rate_limited', 'soft system'],
    ['550 5.7.1 Email quota exceeded. id-1', 'soft rate_limited', 'soft mailbox_full'],
    ['550 5.7.29 This mail was not sent over it. id-1', 'soft tls', 'block policy'],
  ],
  microsoft: [
    ['451 4.7.500 Server busy. Please try again later from [192.0.2.1]', 'block rate_limited', 'soft system'],
    ['550 5.2.122 The recipient gets more than allowed', 'soft rate_limited', 'other other'],
    ['550 5.7.508 Access denied, [192.0.2.1] is over the limits', 'soft rate_limited', 'block policy'],
    ['550 5.7.708 Access denied, traffic not accepted', 'block ip_blocked', 'soft rate_limited'],
  ],
  microsoft365: [
    ['550 5.7.513 Service unavailable by customer list', 'block ip_blocked', 'soft system'],
    ['451 4.7.651 slow down', 'soft connection_limit', 'soft connection_limit'],
  ],
  yahoo: [
    ['421 4.7.0 [GL01] Message from (192.0.2.1) temporarily deferred', 'soft greylisted', 'soft system'],
    [
      '553 5.7.2 [TSS09] All messages from 192.0.2.1 will be permanently deferred',
      'block ip_blocked',
      'block rate_limited',
    ],
    ['451 Resources temporarily not available [#4.16.5]', 'soft rate_limited', 'soft system'],
    ['451 VS1-IP Excessive unknown recipients (#4.1.8)', 'block ip_blocked', 'soft bad_mailbox'],
    ['554 Message not allowed - [PH01] policy reasons', 'block spam_content', 'block policy'],
  ],
  apple: [['554 5.7.1 [CS01] Message rejected due to local policy', 'block spam_content', 'block policy']],
  yandex: [['550 5.7.1 Policy rejection on the target address', 'other inactive_mailbox', 'block policy']],
  gmx: [
    ['554 gmx.net (mxgmx1) No SMTP service: bad record', 'block ip_blocked', 'hard bad_domain'],
    ['450 Reject due to policy violations', 'block ip_blocked', 'block policy'],
    ['450 Requested mail action not taken: mailbox unavailable', 'soft system', 'soft bad_mailbox'],
  ],
  webde: [
    [
      '550 Requested action not taken: invalid DNS MX or A/AAAA resource record',
      'block sender_refused',
      'other other',
    ],
  ],
  tonline: [
    ['421 Something went wrong, contact tosa@rx.t-online.de', 'block ip_blocked', 'soft connection_limit'],
  ],
  free: [['421 Too many errors from your ip (192.0.2.1)', 'block ip_blocked', 'soft rate_limited']],
  comcast: [
    ['554 192.0.2.1 Comcast block for spam. #BL000001', 'block ip_blocked', 'block spam_content'],
    ['421 4.1.0 192.0.2.1 later. #RL000001', 'soft rate_limited', 'soft connection_limit'],
  ],
  qq: [['550 Mailbox unavailable or access denied', 'other bad_mailbox', 'hard bad_mailbox']],
  netease: [
    ['451 MI:SFQ smtp1', 'soft rate_limited', 'soft other'],
    ['421 HL:REP smtp1', 'block ip_blocked', 'soft connection_limit'],
    ['554 DT:SPM smtp1', 'block spam_content', 'other other'],
    ['554 DT:SUM smtp1', 'block sender_refused', 'other other'],
  ],
};

const classifier = new Classifier();
const meaning = (line: string, isp?: string): string => {
  const { class: bounceClass, category } = classifier.classify(refused(line), isp);
  return `${bounceClass} ${category}`;
};

describe('patterns of one provider', () => {
  for (const [isp, rows] of Object.entries(AT))
    for (const [line, here, elsewhere] of rows)
      test(`${isp}: ${line}`, () => assert.deepEqual([meaning(line, isp), meaning(line)], [here, elsewhere]));

  test('each decides one of these replies', () => {
    const deciding = Object.entries(AT).flatMap(([isp, rows]) =>
      rows.map(([line]) => classifier.classify(refused(line), isp).pattern),
    );
    const own = shippedPatterns().filter((pattern) => !isGeneral(pattern));
    assert.deepEqual(
      own.map(({ name }) => name).filter((name) => !deciding.includes(name)),
      [],
    );
  });

  test('each is of ISPs that are shipped', () => {
    const known = new Set(shippedIsps().isps.map(({ name }) => name));
    for (const pattern of shippedPatterns())
      for (const isp of ispsOf(pattern)) assert.ok(isp === '*' || known.has(isp), `${pattern.name}: ${isp}`);
  });
});
