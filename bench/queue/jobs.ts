/**
 * What operators do to a campaign that waits: hold it, move it, change it, release and hold it, purge it; while other
 * mail comes in and is delivered, a message every 20 ms.
 */
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { setTimeout } from 'node:timers/promises';
import { startSink } from '../../src/testbed/index.ts';
import { postrider } from '../postrider.ts';
import { FROM_ADDRESS } from '../workloads.ts';
import { inject } from './injection.ts';

export interface Job {
  readonly name: string;
  readonly size: number;
  readonly matched: number;
  readonly answerMs: number;
  readonly doneMs: number;
  /** Of the other mail meanwhile: until it is accepted, and until it is at the receiver. */
  readonly acceptedP99Ms: number;
  readonly arrivedP99Ms: number;
}

interface JobAnswer {
  readonly job: string;
  readonly state: string;
  readonly matched: number;
  readonly done: number;
}

const OTHER_MAIL = `From: ${FROM_ADDRESS}\r\nSubject: other\r\n\r\nHello\r\n`;
const OTHER_MAIL_MS = 20;
const LOOK_MS = 20;
const DEADLINE_MS = 300_000;
/** Other mail alone, to compare with. */
const QUIET_MS = 3_000;
const CAMPAIGN = { campaign_id: 'bench' };

export async function measureJobs(parent: string, size: number): Promise<Job[]> {
  const dir = join(parent, `jobs-${size}`);
  mkdirSync(dir);
  const sentAt = new Map<string, number>();
  let arrived: number[] = [];
  const sink = await startSink({
    keep: 1,
    onMessage: ({ recipients }) => arrived.push(performance.now() - (sentAt.get(recipients[0]!) ?? NaN)),
  });
  const mta = await postrider().start({ dir, receiverPort: sink.port, dkimKey: undefined });
  const call = (method: string, path: string, body?: object): Promise<JobAnswer> =>
    callOf(mta.controlSocket, { method, path, body });

  async function measure(
    name: string,
    work: () => Promise<Omit<Job, 'name' | 'size' | 'acceptedP99Ms' | 'arrivedP99Ms'>>,
  ): Promise<Job> {
    const accepted: number[] = [];
    arrived = [];
    let over = false;
    const others = (async () => {
      const waiting: Promise<void>[] = [];
      while (!over) {
        const to = `other${sentAt.size}@other.test`;
        const start = performance.now();
        sentAt.set(to, start);
        const message = {
          envelope: { from: FROM_ADDRESS, to: [to] },
          content: OTHER_MAIL,
          virtual_sender: 'main',
        };
        waiting.push(
          call('POST', '/v1/messages', message).then(() => void accepted.push(performance.now() - start)),
        );
        await setTimeout(OTHER_MAIL_MS);
      }
      await Promise.all(waiting);
    })();
    const done = await work();
    over = true;
    await others;
    for (let i = 0; arrived.length < accepted.length && i < 500; i++) await setTimeout(LOOK_MS);
    return { name, size, ...done, acceptedP99Ms: p99(accepted), arrivedP99Ms: p99(arrived) };
  }

  const operate = (name: string, path: string, body: object = {}): Promise<Job> =>
    measure(name, async () => {
      const start = performance.now();
      let job = await call('POST', `/v1/queue/${path}`, { selector: CAMPAIGN, ...body });
      const answerMs = performance.now() - start;
      while (job.state !== 'done') {
        if (performance.now() - start > DEADLINE_MS)
          throw new Error(`${name}: ${job.done} of ${job.matched}`);
        await setTimeout(LOOK_MS);
        job = await call('GET', `/v1/jobs/${job.job}`);
      }
      return { matched: job.matched, answerMs, doneMs: performance.now() - start };
    });

  try {
    await call('POST', '/v1/queue/hold', { selector: CAMPAIGN });
    await inject(mta, 1, size);
    return [
      await measure('nothing', async () => {
        await setTimeout(QUIET_MS);
        return { matched: 0, answerMs: 0, doneMs: QUIET_MS };
      }),
      await operate('hold', 'hold'),
      await operate('move to a node', 'move', { target: { node: 'n2' } }),
      await operate('change band', 'change', { target: { band: 'priority' } }),
      await operate('purge', 'purge'),
    ];
  } finally {
    await mta.stop();
    await sink.close();
  }
}

async function callOf(
  socketPath: string | undefined,
  {
    method,
    path,
    body,
  }: { readonly method: string; readonly path: string; readonly body: object | undefined },
): Promise<JobAnswer> {
  const headers = body ? { 'content-type': 'application/json' } : {};
  const sent = request({ socketPath, method, path, headers });
  sent.end(body && JSON.stringify(body));
  const [response] = (await once(sent, 'response')) as [
    NodeJS.ReadableStream & { readonly statusCode: number },
  ];
  const answer: unknown = await json(response);
  if (response.statusCode >= 300)
    throw new Error(`${method} ${path}: ${response.statusCode} ${JSON.stringify(answer)}`);
  return answer as JobAnswer;
}

function p99(values: readonly number[]): number {
  const sorted = values.filter((value) => !Number.isNaN(value)).sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length * 0.99)] ?? NaN;
}
