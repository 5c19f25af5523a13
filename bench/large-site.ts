/**
 * What the status page of a large site costs its server: pictures are made one after the other, and beside them a function
 * that runs in each turn of the event loop sees how long the thread is held at a time (the garbage collector included).
 */
import { test, type TestContext } from 'node:test';
import { Slices } from '../src/api/index.ts';
import { Observer } from '../src/dashboard/observer.ts';
import { takePicture } from '../src/dashboard/snapshot.ts';
import { CAMPAIGNS, ISPS, largeSite, NODES } from '../test/support/large-site.ts';
import type { Machine } from './machine.ts';
import { median, table } from './report.ts';
import { writeStatusPageSection } from './status-page-results.ts';

const WARM_UP = 5;
const TIMES = 25;

/** Of one picture, in ms. */
interface Cost {
  readonly longest: number;
  readonly spent: number;
  readonly elapsed: number;
}

export function testPicture(machine: Machine, write: boolean): void {
  void test('the picture of a large site', { timeout: 120_000 }, async (t) => {
    const costs = await measure(t);
    const of = (what: keyof Cost): string[] => {
      const all = costs.map((one) => one[what]);
      return [median(all), Math.min(...all), Math.max(...all)].map((ms) => ms.toFixed(1));
    };
    const text = [
      ...table([
        ['ms for one picture', 'median', 'smallest', 'largest'],
        ['longest time the thread is held', ...of('longest')],
        ['the thread is held in all', ...of('spent')],
        ['until it is there', ...of('elapsed')],
      ]),
      '',
      `${TIMES} pictures, each with what a page is sent at first; ${NODES} nodes, ${ISPS} ISPs, ${CAMPAIGNS.toLocaleString('en-US')} campaigns, ${(NODES * ISPS).toLocaleString('en-US')} rows of the queue. A picture is made once for all pages, and so seldom that it takes 2 % of the time at most.`,
    ];
    console.log(text.join('\n'));
    if (write) writeStatusPageSection('picture', machine, text);
  });
}

async function measure(t: TestContext): Promise<Cost[]> {
  const deps = await largeSite(t);
  const observer = new Observer();
  const costs: Cost[] = [];
  for (let i = 0; i < WARM_UP + TIMES; i++) {
    const watch = new TurnWatch();
    const slices = new Slices();
    const started = performance.now();
    const picture = await takePicture({ deps, observer }, slices);
    slices.run(() => Buffer.from(JSON.stringify(picture.snapshot(true))));
    const elapsed = performance.now() - started;
    costs.push({ longest: await watch.stop(), spent: slices.spentMs, elapsed });
  }
  return costs.slice(WARM_UP);
}

class TurnWatch {
  #longest = 0;
  #last = performance.now();
  #watching = true;
  readonly #ended = Promise.withResolvers<void>();

  constructor() {
    setImmediate(() => this.#turn());
  }

  /** The longest time (ms) between two turns. */
  async stop(): Promise<number> {
    this.#watching = false;
    await this.#ended.promise;
    return this.#longest;
  }

  #turn(): void {
    const now = performance.now();
    this.#longest = Math.max(this.#longest, now - this.#last);
    this.#last = now;
    if (this.#watching) setImmediate(() => this.#turn());
    else this.#ended.resolve();
  }
}
