/** A source of reports in a process of its own: DSNs and complaints to given addresses, evenly spaced. */
import { setTimeout as delay } from 'node:timers/promises';
import { type ClientSession, DEFAULT_TIMEOUTS, openSession } from '../../src/mta/smtp/index.ts';
import { answerJobs } from '../child.ts';
import { quantile } from '../report.ts';

export interface ReportTarget {
  /** Return path of a delivery: a bounce goes there. */
  readonly to: string;
  /** Header field of its mail: given, a complaint that quotes it comes instead. */
  readonly header?: string;
}

export interface Handed {
  readonly taken: number;
  readonly firstRefusal: string | undefined;
  readonly seconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

export interface ReportJobs {
  readonly send: {
    readonly job: {
      readonly port: number;
      readonly targets: readonly ReportTarget[];
      readonly perSecond: number;
    };
    readonly answer: Handed;
  };
}

const SESSIONS = 8;
const FBL = 'fbl@bounce.bench.test';

const mime = (type: string, first: string, status: readonly string[], original: string): Buffer =>
  Buffer.from(
    [
      'From: Mail Delivery System <MAILER-DAEMON@far.test>',
      'Subject: report',
      'MIME-Version: 1.0',
      `Content-Type: multipart/report; report-type=${type}; boundary="b"`,
      '',
      '--b',
      '',
      first,
      '--b',
      `Content-Type: message/${type}`,
      '',
      ...status,
      '',
      '--b',
      'Content-Type: message/rfc822',
      '',
      original,
      'Subject: News of the week',
      '',
      'Words that came back. '.repeat(100),
      '--b--',
      '',
    ].join('\r\n'),
  );

const bounce = (): Buffer =>
  mime(
    'delivery-status',
    'It could not be delivered.',
    [
      'Reporting-MTA: dns; far.test',
      '',
      'Final-Recipient: rfc822; someone@far.test',
      'Action: failed',
      'Status: 5.1.1',
      'Diagnostic-Code: smtp; 550 5.1.1 <someone@far.test>: no such user here',
    ],
    'From: news@shop.test',
  );

const complaint = (header: string): Buffer =>
  mime(
    'feedback-report',
    'This is an email abuse report.',
    ['Feedback-Type: abuse', 'User-Agent: Far/1', 'Version: 1'],
    header,
  );

async function open(port: number): Promise<ClientSession> {
  const opened = await openSession({
    host: 'localhost',
    address: '127.0.0.1',
    port,
    localAddress: undefined,
    heloName: 'far.test',
    tls: 'none',
    timeouts: DEFAULT_TIMEOUTS,
  });
  if (!opened.ok) throw new Error(opened.error.text);
  return opened.value;
}

answerJobs<ReportJobs>({
  send: async ({ port, targets, perSecond }) => {
    const start = performance.now();
    const took: number[] = [];
    let [next, taken] = [0, 0];
    let firstRefusal: string | undefined;
    const hand = async (session: ClientSession): Promise<void> => {
      while (next < targets.length) {
        const at = next++;
        const wait = start + (at * 1000) / perSecond - performance.now();
        if (wait > 0) await delay(wait);
        const { to, header } = targets[at]!;
        const content = header === undefined ? bounce() : complaint(header);
        const before = performance.now();
        const { recipients } = await session.send({
          from: 'postmaster@far.test',
          recipients: [header === undefined ? to : FBL],
          content: [content],
          bytes: content.length,
          dotLine: false,
          eightBit: false,
          smtpUtf8: false,
        });
        took.push(performance.now() - before);
        const [result] = recipients;
        if (result?.ok) taken++;
        else firstRefusal ??= result?.error.text;
      }
      await session.quit();
    };
    await Promise.all(Array.from({ length: SESSIONS }, async () => hand(await open(port))));
    const seconds = (performance.now() - start) / 1000;
    return {
      taken,
      firstRefusal,
      seconds,
      p50Ms: quantile(took, 0.5),
      p99Ms: quantile(took, 0.99),
      maxMs: quantile(took, 1),
    };
  },
});
