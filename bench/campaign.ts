/**
 * A campaign over the control socket: the content once, then a line for each recipient with five variables. The lines
 * are written as fast as they are taken; the latency of one is from its writing to the acknowledgement that covers it.
 */
import { once } from 'node:events';
import { type ClientRequest, request } from 'node:http';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import type { Injected, Load } from './generator.ts';
import { quantile } from './report.ts';
import { FROM_ADDRESS, CAMPAIGN, RECIPIENT_DOMAINS, recipientOf } from './workloads.ts';

interface Answer {
  readonly acked_through?: number;
  readonly done?: boolean;
  readonly accepted?: number;
  readonly error?: { readonly message: string };
}

const LINES_PER_WRITE = 100;
/** Line 1 is the header. */
const FIRST_LINE = 2;

export async function sendCampaign({
  workload,
  count,
  firstIndex,
  socket,
}: Load & { socket: string }): Promise<Injected> {
  const domains = workload.domains ?? RECIPIENT_DOMAINS;
  const firstAtMs = performance.timeOrigin + performance.now();
  const writtenAtMs = new Float64Array(count);
  const post = request({
    socketPath: socket,
    method: 'POST',
    path: '/v1/batches',
    headers: { 'content-type': 'application/x-ndjson', 'transfer-encoding': 'chunked' },
  });
  const answered = readAnswers(post, writtenAtMs);
  answered.catch(() => undefined); // awaited below; a refusal may come while we still write
  post.write(headerLine(workload.messageBytes));
  for (let from = 0; from < count && !post.destroyed; from += LINES_PER_WRITE) {
    const to = Math.min(count, from + LINES_PER_WRITE);
    let text = '';
    for (let i = from; i < to; i++) text += recipientLine(firstIndex + i, domains);
    writtenAtMs.fill(performance.now(), from, to);
    if (!post.write(text)) await Promise.race([once(post, 'drain'), answered]);
  }
  post.end();
  const { accepted, latenciesMs } = await answered;
  const seconds = (performance.timeOrigin + performance.now() - firstAtMs) / 1000;
  return {
    firstAtMs,
    accepted,
    seconds,
    p50Ms: quantile(latenciesMs, 0.5),
    p99Ms: quantile(latenciesMs, 0.99),
    firstRefusal: undefined,
  };
}

async function readAnswers(
  post: ClientRequest,
  writtenAtMs: Float64Array,
): Promise<{ accepted: number; latenciesMs: Float64Array }> {
  const [response] = (await once(post, 'response')) as [Readable];
  const latenciesMs = new Float64Array(writtenAtMs.length);
  let acknowledged = 0;
  for await (const line of createInterface({ input: response })) {
    const answer = JSON.parse(line) as Answer;
    if (answer.error) throw new Error(answer.error.message);
    if (answer.done) return { accepted: answer.accepted ?? 0, latenciesMs };
    const through = (answer.acked_through ?? 0) - FIRST_LINE + 1;
    for (; acknowledged < through; acknowledged++)
      latenciesMs[acknowledged] = performance.now() - writtenAtMs[acknowledged]!;
  }
  throw new Error('the answer ended before the batch was done');
}

function headerLine(messageBytes: number): string {
  const paragraph =
    '<p>Dear {{name}}, the offers of this week for {{city}} are in. Your code {{code}} is good for {{price}} off.</p>\n' +
    `<p>${'Everything in the shop is new, and all of it goes out today. '.repeat(6)}</p>\n`;
  const html = `<html><body><h1>Hello {{name}}</h1>\n${paragraph.repeat(
    Math.max(1, Math.round((messageBytes - 800) / paragraph.length)),
  )}<p><a href="https://shop.test/{{link}}">To the shop</a></p></body></html>\n`;
  const parts = { from: `Shop <${FROM_ADDRESS}>`, subject: 'Offers for {{name}}', html };
  const header = {
    from: FROM_ADDRESS,
    parts,
    virtual_sender: 'main',
    campaign_id: CAMPAIGN,
    account_id: 'bench',
  };
  return `${JSON.stringify(header)}\n`;
}

function recipientLine(index: number, domains: number): string {
  const vars = {
    name: `Anna ${index}`,
    city: `Town ${index % 500}`,
    code: `C${index * 7919}`,
    price: `${index % 50} EUR`,
    link: `o/${index}`,
  };
  return `${JSON.stringify({ to: recipientOf(index, domains), vars })}\n`;
}
