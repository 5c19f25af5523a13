/** What an attempt needs besides the bytes: speed limit, return path, replies, and the content of a campaign. */
import { createHmac, createSecretKey, randomBytes } from 'node:crypto';
import { deliveryIdOf, systemClock } from '../../src/core/index.ts';
import { createTokens } from '../../src/fbl/index.ts';
import { Limiter } from '../../src/mta/egress/index.ts';
import { composeContent, renderContent } from '../../src/mta/message/index.ts';
import { type ParsedReply, ReplyParser } from '../../src/mta/smtp/index.ts';
import type { Part } from './index.ts';
import { MESSAGE_BYTES, target } from './samples.ts';

const replies = Buffer.from(
  '250 2.1.0 Sender ok\r\n250 2.1.5 Recipient ok\r\n354 End data with <CR><LF>.<CR><LF>\r\n250 2.0.0 Ok: queued as 4Zx1\r\n',
);
const parser = new ReplyParser();
const parsed: ParsedReply[] = [];

const fast = { count: 1_000_000_000, perMs: 1000 };
const limiter = new Limiter(systemClock, { rate: fast, burst: 1_000_000, dailyLimit: null, timezone: 'UTC' });

const secret = randomBytes(32);
const tokens = createTokens([{ id: '1', key: secret }]);
const secretKey = createSecretKey(secret);
const delivery = deliveryIdOf(123_456_789_012_345, 1);

const line = 'Dear {{name}}, your code for {{city}} is {{code}}, good for {{price}}: {{link}}. '.padEnd(
  500,
  'x ',
);
const composed = composeContent(
  {
    from: 'Shop <source@source.test>',
    subject: 'For {{name}}',
    html: `<p>${line}</p>\r\n`.repeat(MESSAGE_BYTES / 500),
  },
  { hostname: 'mta.bench.test', now: 0, unique: 'bench' },
);
if (!composed.ok) throw new Error(composed.error.message);
const campaign = composed.value;
const recipient = {
  recipient: 'u1@d1.test',
  messageIdText: '1',
  vars: { name: 'Anna', city: 'Town', code: 'C7919', price: '10 EUR', link: 'o/1' },
};
const rendered = Buffer.alloc(MESSAGE_BYTES, 'x');

export const SENDING: readonly Part[] = [
  {
    name: 'replies',
    work: 'the four replies of a transaction',
    run: () => {
      parsed.length = 0;
      return parser.push(replies, parsed);
    },
    limit: { work: 'a string of the same bytes', run: () => replies.toString('latin1') },
  },
  {
    name: 'limiter',
    work: 'a token: when, and spent',
    run: () => {
      if (limiter.waitMs() === 0) limiter.take();
    },
    limit: { work: 'performance.now', run: () => performance.now() },
  },
  {
    name: 'return-path',
    work: 'the signed address of a delivery',
    run: () => tokens.returnPath(delivery, 'bounce.bench.test'),
    limit: {
      work: 'HMAC-SHA-256 of 40 bytes',
      run: () => createHmac('sha256', secretKey).update('x'.repeat(40)).digest(),
    },
  },
  {
    name: 'render',
    work: '10 KB of a campaign, 5 variables 20 times',
    run: () => renderContent(campaign, recipient),
    limit: { work: 'copy of the bytes', run: () => rendered.copy(target) },
  },
];
