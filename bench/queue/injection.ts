/** Recipients of one campaign, over one connection to `POST /v1/batches`. */
import { once } from 'node:events';
import { type ClientRequest, request } from 'node:http';
import { text } from 'node:stream/consumers';
import type { Running } from '../contender.ts';
import { FROM_ADDRESS } from '../workloads.ts';
import { recipient } from './recipients.ts';

const LINES_PER_WRITE = 1_000;

export async function inject({ controlSocket }: Running, from: number, to: number): Promise<void> {
  const post = request({
    socketPath: controlSocket,
    method: 'POST',
    path: '/v1/batches',
    headers: { 'content-type': 'application/x-ndjson', 'transfer-encoding': 'chunked' },
  });
  const answered = answerTo(post);
  answered.catch(() => undefined); // awaited below
  const parts = { from: FROM_ADDRESS, subject: 'Offers', html: '<p>Hello {{name}}</p>'.repeat(400) };
  post.write(
    `${JSON.stringify({ from: FROM_ADDRESS, parts, virtual_sender: 'main', campaign_id: 'bench' })}\n`,
  );
  for (let at = from; at <= to && !post.destroyed; at += LINES_PER_WRITE) {
    let lines = '';
    for (let i = at; i < at + LINES_PER_WRITE && i <= to; i++)
      lines += `{"to":"${recipient(i)}","vars":{"name":"Anna ${i}"}}\n`;
    if (!post.write(lines)) await Promise.race([once(post, 'drain'), answered]);
  }
  post.end();
  await answered;
}

async function answerTo(post: ClientRequest): Promise<void> {
  const [response] = (await once(post, 'response')) as [NodeJS.ReadableStream];
  const last = (await text(response)).trimEnd().split('\n').at(-1) ?? '';
  if (!last.includes('"done":true')) throw new Error(`the batch was not taken: ${last}`);
}
