/** Messages of the load generator: distinct recipients and headers, a body of filler that is made once per length. */
import type { Transaction } from '../mta/smtp/index.ts';

export interface MessagePlan {
  /** Size of the whole message; the headers are never cut. */
  readonly messageBytes: number;
  readonly from: string;
  /** Recipients are `u<index>@d<index modulo domains>.test`. */
  readonly domains: number;
  readonly firstIndex: number;
  /** Header lines without the line break; `{index}`, `{from}`, `{recipient}` and `{date}` are filled in. */
  readonly headers: readonly string[];
}

export const DEFAULT_HEADERS: readonly string[] = [
  'From: <{from}>',
  'To: <{recipient}>',
  'Subject: message {index}',
  'Date: {date}',
  'Message-ID: <{index}@source.test>',
  'MIME-Version: 1.0',
  'Content-Type: text/plain; charset=us-ascii',
];

const LINE_LENGTH = 76;

/** Gives message number 0, 1, 2... of a plan; `date` is the same for all. */
export function messagesOf(plan: MessagePlan, date: Date): (number: number) => Transaction {
  const bodies = new Map<number, Buffer>();
  const template = plan.headers
    .map((line) => `${line}\r\n`)
    .join('')
    .replaceAll('{from}', plan.from)
    .replaceAll('{date}', date.toUTCString().replace('GMT', '+0000'));
  return (number) => {
    const index = plan.firstIndex + number;
    const recipient = recipientOf(index, plan.domains);
    const head = template.replaceAll('{index}', String(index)).replaceAll('{recipient}', recipient);
    const header = Buffer.from(`${head}\r\n`);
    const length = Math.max(2, plan.messageBytes - header.length);
    let body = bodies.get(length);
    if (body === undefined) bodies.set(length, (body = fillerOf(length)));
    return {
      from: plan.from,
      recipients: [recipient],
      content: [header, body],
      bytes: header.length + body.length,
      dotLine: plan.headers.some((line) => line.startsWith('.')),
      eightBit: false,
      smtpUtf8: false,
    };
  };
}

export const recipientOf = (index: number, domains: number): string => `u${index}@d${index % domains}.test`;

/** Lines of 76 characters (the last one up to 77), exactly `length` bytes with the last line break. */
function fillerOf(length: number): Buffer {
  const body = Buffer.alloc(length, 'x');
  for (let at = LINE_LENGTH; at + 2 <= length - 2; at += LINE_LENGTH + 2) body.write('\r\n', at, 'latin1');
  body.write('\r\n', length - 2, 'latin1');
  return body;
}
