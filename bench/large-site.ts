/**
 * What a large site costs its server: pictures for the status page, scrapes of its metrics, and what commands ask, one
 * after the other.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { createControlServer, createMetrics, Slices } from '../src/api/index.ts';
import { version } from '../src/cli/version.ts';
import { systemClock } from '../src/core/index.ts';
import { Observer } from '../src/dashboard/observer.ts';
import { takePicture } from '../src/dashboard/snapshot.ts';
import type { EventDraft } from '../src/queue/index.ts';
import { CAMPAIGNS, ISPS, largeSite, NODES } from '../test/support/large-site.ts';
import type { Machine } from './machine.ts';
import { median, table } from './report.ts';
import { writeStatusPageSection } from './status-page-results.ts';
import { threadCpuMs, TurnWatch } from './turn-watch.ts';

const WARM_UP = 5;
const TIMES = 25;
const SCRAPE_MS = 50;
const SCRAPE_EVERY_MS = 15_000;
const SITE = `${NODES} nodes, ${ISPS} ISPs, ${CAMPAIGNS.toLocaleString('en-US')} campaigns`;

/** Of one picture or scrape, in ms. */
interface Cost {
  readonly longest: number;
  readonly cpu: number;
  readonly elapsed: number;
}

export function testLargeSite(machine: Machine, write: boolean): void {
  void test('the picture of a large site', { timeout: 120_000 }, async (t) => {
    const deps = await largeSite(t);
    const observer = new Observer();
    const costs = await measure(async () => {
      const picture = await takePicture({ deps, observer }, new Slices());
      Buffer.from(JSON.stringify(picture.snapshot(true)));
    });
    const text = [
      ...tableOf('one picture', costs),
      '',
      `${TIMES} pictures, each with what a page is sent at first; ${SITE}, ${(NODES * ISPS).toLocaleString('en-US')} rows of the queue. A picture is made once for all pages, and so seldom that it takes 2 % of the time at most.`,
    ];
    console.log(text.join('\n'));
    if (write) writeStatusPageSection('picture', machine, text);
  });
  void test('a scrape of a large site', { timeout: 120_000 }, async (t) => {
    const { queue, egress } = await largeSite(t);
    // What one scrape has looked at the next one would find known, were time not to go on.
    let mono = 0;
    const clock = { ...systemClock, mono: () => mono };
    const metrics = createMetrics({ queue, egress, clock, version, durability: 'sync' });
    t.after(() => metrics.close());
    metrics.onCommit({ ms: 1, events: [...everyPair('delivered'), ...everyPair('soft_bounce')] });
    let lines = 0;
    const costs = await measure(async () => {
      mono += SCRAPE_EVERY_MS;
      lines = (await metrics.registry.metrics()).split('\n').length;
    });
    const text = [
      ...tableOf('one scrape', costs),
      '',
      `${TIMES} scrapes of ${lines.toLocaleString('en-US')} lines; ${SITE}, every pair of node and ISP with attempts. Target: ${SCRAPE_MS} ms.`,
    ];
    console.log(text.join('\n'));
    if (write) writeStatusPageSection('scrape', machine, text);
    assert.ok(median(costs.map(({ cpu }) => cpu)) <= SCRAPE_MS, 'more than the target');
  });
  testAnswers(machine, write);
}

/** What is asked for, and how often: an answer of all rows takes longer. */
const ASKED = [
  '/v1/status',
  '/v1/queue?group_by=isp,node',
  '/v1/queue?group_by=isp,node&limit=100000',
  '/v1/campaigns?limit=100',
  '/v1/campaigns?limit=10000',
  '/v1/nodes',
] as const;

export function testAnswers(machine: Machine, write: boolean): void {
  void test('answers about a large site', { timeout: 170_000 }, async (t) => {
    const server = createControlServer(await largeSite(t));
    const dir = mkdtempSync(join(tmpdir(), 'postrider-answers-'));
    t.after(async () => {
      await server.close();
      rmSync(dir, { recursive: true });
    });
    const socketPath = join(dir, 'control.sock');
    assert.ok((await server.listenSocket(socketPath)).ok);
    const rows = [['ms of CPU', 'longest turn', 'at most', 'in all', 'KB']];
    for (const path of ASKED) {
      let bytes = 0;
      const costs = await measure(async () => (bytes = await fetched(socketPath, path)), threadCpuMs);
      const [held, cpu] = [costs.map(({ longest }) => longest), costs.map((one) => one.cpu)];
      rows.push([
        `GET ${path}`,
        median(held).toFixed(1),
        Math.max(...held).toFixed(1),
        median(cpu).toFixed(1),
        (bytes / 1024).toFixed(0),
      ]);
    }
    const text = [
      ...table(rows),
      '',
      `${TIMES} answers of each kind, medians and the largest; ${SITE}, ${(NODES * ISPS).toLocaleString('en-US')} rows of the queue. Of the thread in one turn of the event loop; in all, with the collector and who asks.`,
    ];
    console.log(text.join('\n'));
    if (write) writeStatusPageSection('answers', machine, text);
  });
}

/** Bytes of the answer, which is not kept. */
async function fetched(socketPath: string, path: string): Promise<number> {
  const sent = request({ socketPath, path, agent: false }).end();
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  let bytes = 0;
  response.on('data', (chunk: Buffer) => (bytes += chunk.length));
  await once(response, 'end');
  assert.equal(response.statusCode, 200);
  return bytes;
}

const everyPair = (type: 'delivered' | 'soft_bounce'): EventDraft[] =>
  Array.from({ length: NODES * ISPS }, (_, i) => ({
    type,
    time: 0,
    recipient: 'u@a.test',
    node: `n${i % NODES}`,
    isp: `isp${Math.floor(i / NODES)}`,
    queue_ms: i,
    ...(type === 'soft_bounce' && { reply: { code: 451, enhanced: '4.7.1', text: 'later', phase: 'rcpt' } }),
  }));

async function measure(work: () => Promise<unknown>, turns?: () => number): Promise<Cost[]> {
  const costs: Cost[] = [];
  for (let i = 0; i < WARM_UP + TIMES; i++) {
    const watch = new TurnWatch(turns);
    const [started, before] = [performance.now(), process.cpuUsage()];
    await work();
    const elapsed = performance.now() - started;
    const { user, system } = process.cpuUsage(before);
    costs.push({ longest: await watch.stop(), cpu: (user + system) / 1000, elapsed });
  }
  return costs.slice(WARM_UP);
}

function tableOf(what: string, costs: readonly Cost[]): string[] {
  const of = (key: keyof Cost): string[] => {
    const all = costs.map((one) => one[key]);
    return [median(all), Math.min(...all), Math.max(...all)].map((ms) => ms.toFixed(1));
  };
  return table([
    [`ms for ${what}`, 'median', 'smallest', 'largest'],
    ['longest time the thread is held', ...of('longest')],
    ['CPU, the collector included', ...of('cpu')],
    ['until it is there', ...of('elapsed')],
  ]);
}
