/** The mail of the demo: a campaign through the control socket, and single messages over SMTP. */
import { request } from 'node:http';
import { Readable } from 'node:stream';
import { DEFAULT_TIMEOUTS, openSession } from '../mta/smtp/index.ts';
import { BUSY, FROM_DOMAIN, ISPS, UNKNOWN } from './demo-world.ts';

const FROM = `Shop News <news@${FROM_DOMAIN}>`;
const NAMES = ['Anna', 'Boris', 'Chiara', 'Daniel', 'Elif', 'Felix', 'Галина', 'Hannah', 'Ivan', 'Júlia'];
/** Every so many recipients of the strict receiver one is unknown there. */
const UNKNOWN_EVERY = 20;

const HTML = `<html><body><h1>Hello {{name}}!</h1>
<p>You have <b>{{points}}</b> points. Here is what is new this week, picked for {{city}}.</p>
${'<p>Plain words, good prices, and a reason to come by. No tricks.</p>\n'.repeat(20)}
<p><a href="https://shop.test/u/{{recipient}}">Unsubscribe</a></p></body></html>`;

/** Recipient number `i`: the receivers take turns. */
function recipient(i: number, kind: string): string {
  const isp = ISPS[i % ISPS.length]!;
  const round = Math.floor(i / ISPS.length);
  const unknown = isp.name === 'strictpost' && round % UNKNOWN_EVERY === UNKNOWN_EVERY - 1;
  return `${unknown ? UNKNOWN : ''}${kind}${round}@${isp.domain}`;
}

const CAMPAIGN = {
  from: `news@${FROM_DOMAIN}`,
  account_id: 'shop',
  sender: 'shop',
  parts: {
    from: FROM,
    subject: '{{name}}, {{points}} points are waiting',
    html: HTML,
    text: 'Hello {{name}}, you have {{points}} points.',
  },
};

/** Sends the campaign; resolves to the number of recipients that were accepted. */
export const sendCampaign = (socketPath: string, count: number): Promise<number> =>
  sendBatch(
    socketPath,
    { ...CAMPAIGN, campaign_id: 'spring-sale' },
    (function* (): Generator<string> {
      for (let i = 0; i < count; i++) yield recipient(i, 'reader');
    })(),
  );

export const SLOW_CAMPAIGN = 'newsletter';
/** Of the slow campaign, so that what is said of it can name somebody. */
export const DELAYED = `reader1@${BUSY.domain}`;
const SLOW_READERS = 600;
const BUSY_READERS = 20;

/** A campaign that goes on for a while: something to look into and to hold. */
export const sendSlowCampaign = (socketPath: string): Promise<number> =>
  sendBatch(
    socketPath,
    { ...CAMPAIGN, campaign_id: SLOW_CAMPAIGN, sender: 'news', limits: { rate: '30/1m' } },
    (function* (): Generator<string> {
      for (let i = 1; i <= BUSY_READERS; i++) yield `reader${i}@${BUSY.domain}`;
      for (let i = 0; i < SLOW_READERS; i++) yield `reader${i}@${ISPS[i % 2]!.domain}`;
    })(),
  );

async function sendBatch(socketPath: string, header: object, recipients: Iterable<string>): Promise<number> {
  function* lines(): Generator<string> {
    yield `${JSON.stringify(header)}\n`;
    let i = 0;
    for (const to of recipients) {
      const vars = { name: NAMES[i % NAMES.length], points: (i * 7) % 1000, city: `City ${i % 50}` };
      yield `${JSON.stringify({ to, vars })}\n`;
      i++;
    }
  }
  const answer = await post(socketPath, Readable.from(lines()));
  const last = JSON.parse(answer.trim().split('\n').at(-1)!) as { done?: boolean; accepted?: number };
  if (last.done !== true) throw new Error(`the campaign was not accepted: ${answer.slice(-500)}`);
  return last.accepted ?? 0;
}

function post(socketPath: string, body: Readable): Promise<string> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/x-ndjson' };
    const sent = request({ socketPath, method: 'POST', path: '/v1/batches', headers }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => (text += chunk));
      response.once('end', () => resolve(text));
      response.once('error', reject);
    });
    sent.once('error', reject);
    body.pipe(sent);
  });
}

/** Sends single messages over SMTP, as a program that knows nothing of campaigns would; resolves to those accepted. */
export async function sendSingles(port: number, count: number): Promise<number> {
  const opened = await openSession({
    host: 'localhost',
    address: '127.0.0.1',
    port,
    localAddress: undefined,
    heloName: 'app.shop.test',
    tls: 'none',
    timeouts: DEFAULT_TIMEOUTS,
  });
  if (!opened.ok) throw new Error(`the injection port does not answer: ${opened.error.text}`);
  const session = opened.value;
  let accepted = 0;
  for (let i = 0; i < count; i++) {
    const to = recipient(i, 'buyer');
    const content = Buffer.from(
      `From: Shop Orders <orders@${FROM_DOMAIN}>\r\nTo: ${to}\r\nSubject: Your order ${1000 + i}\r\n` +
        `X-Postrider-Campaign: orders\r\nX-Postrider-Sender: shop\r\nX-Postrider-Account: shop\r\nX-Postrider-Band: priority\r\n\r\nThank you for order ${1000 + i}.\r\n`,
    );
    const sent = await session.send({
      from: `orders@${FROM_DOMAIN}`,
      recipients: [to],
      content: [content],
      bytes: content.length,
      dotLine: false,
      eightBit: false,
      smtpUtf8: false,
    });
    if (sent.recipients[0]!.ok) accepted++;
  }
  await session.quit();
  return accepted;
}
