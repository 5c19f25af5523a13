/**
 * What a delivery costs the store while it holds many: taken in by a batch, and leased and recorded. The size is the
 * same before and after each round, and what is asked for is the same for every size: two deliveries of each domain.
 */
import { mkdirSync } from 'node:fs';
import { systemClock } from '../../src/core/index.ts';
import { type NewDelivery, openLmdbKv, Queue, type QueueHead } from '../../src/queue/index.ts';
import { median } from '../report.ts';
import { DOMAINS, recipient } from './recipients.ts';

export interface Cost {
  readonly cpuUs: number;
  readonly wallUs: number;
}
export interface Costs {
  readonly size: number;
  readonly enqueue: Cost;
  readonly dequeue: Cost;
}

const CHUNK = 500;
const PER_DOMAIN = 2;
const PER_ROUND = PER_DOMAIN * DOMAINS;
/** Leases that are asked for at once. */
const TOGETHER = 50;
const ROUNDS = 7;
const LIFETIME_MS = 86_400_000;

class Store {
  readonly #queue: Queue;
  #next = 0;
  #number = 0;

  private constructor(queue: Queue) {
    this.#queue = queue;
  }

  static async open(dir: string): Promise<Store> {
    mkdirSync(dir);
    const kv = openLmdbKv({ dir, durability: 'sync' });
    const { queue } = await Queue.open({ kv, clock: systemClock, report: () => undefined });
    return new Store(queue);
  }

  /** One batch stays open all the time: one content for all. */
  async add(count: number): Promise<void> {
    if (this.#number === 0) await this.#begin();
    for (let done = 0; done < count; done += CHUNK)
      await this.#queue.accept({
        number: this.#number,
        deliveries: this.#deliveries(Math.min(CHUNK, count - done)),
        close: false,
      });
  }

  async #begin(): Promise<void> {
    this.#number = this.#queue.nextNumber();
    const content = Buffer.alloc(10_240, 'x');
    await this.#queue.accept({
      number: this.#number,
      message: {
        from: 'news@bench.test',
        fromAddress: 'news@bench.test',
        fromDomain: 'bench.test',
        kind: 'raw',
        bytes: content.length,
        eightBit: false,
        dotLine: false,
        smtpUtf8: false,
        createdAt: Date.now(),
        band: 'standard',
        campaignId: 'bench',
      },
      content,
      deliveries: [],
      open: true,
    });
  }

  #deliveries(count: number): NewDelivery[] {
    const now = Date.now();
    return Array.from({ length: count }, () => {
      const index = ++this.#next;
      const times = { wakeAt: now, expiresAt: now + LIFETIME_MS };
      const record = { recipient: recipient(index), sender: 'main', node: 'n1', attempts: [], ...times };
      return { index, record };
    });
  }

  /** Leases and delivers two of each domain. */
  async take(): Promise<void> {
    const heads = [...this.#queue.state.schedule.heads()];
    for (let at = 0; at < heads.length; at += TOGETHER)
      await Promise.all(heads.slice(at, at + TOGETHER).map((head) => this.#deliver(head)));
  }

  async #deliver(head: QueueHead): Promise<void> {
    const leased = await this.#queue.lease({ queue: head, limit: PER_DOMAIN });
    const facts = {
      time: Date.now(),
      mx: 'mx.test',
      reply: { code: 250, text: 'ok', phase: 'content' },
    } as const;
    await Promise.all(leased.map((delivery) => this.#queue.record(delivery, { kind: 'delivered', facts })));
  }

  get queued(): number {
    return this.#queue.state.counters.sum().queued;
  }

  close(): Promise<void> {
    return this.#queue.close();
  }
}

async function costOf(work: () => Promise<void>): Promise<Cost> {
  const [cpu, start] = [process.cpuUsage(), performance.now()];
  await work();
  const { user, system } = process.cpuUsage(cpu);
  return {
    cpuUs: (user + system) / PER_ROUND,
    wallUs: ((performance.now() - start) * 1000) / PER_ROUND,
  };
}

const middle = (costs: readonly Cost[]): Cost => ({
  cpuUs: median(costs.map(({ cpuUs }) => cpuUs)),
  wallUs: median(costs.map(({ wallUs }) => wallUs)),
});

/** The sizes one after the other, rounds interleaved: what drifts on the machine meets all of them alike. */
export async function measureCosts(
  dir: string,
  sizes: readonly number[],
  say: (text: string) => void,
): Promise<Costs[]> {
  const stores: Store[] = [];
  for (const [i, size] of sizes.entries()) {
    const store = await Store.open(`${dir}/costs-${i}`);
    await store.add(size);
    say(`costs: ${size} queued`);
    stores.push(store);
  }
  const seen = sizes.map(() => ({ enqueue: [] as Cost[], dequeue: [] as Cost[] }));
  for (let round = 0; round <= ROUNDS; round++)
    for (const [i, store] of stores.entries()) {
      const enqueue = await costOf(() => store.add(PER_ROUND));
      const dequeue = await costOf(() => store.take());
      if (store.queued !== sizes[i]) throw new Error(`${store.queued} are queued, not ${sizes[i]}`);
      if (round === 0) continue; // warms up
      seen[i]!.enqueue.push(enqueue);
      seen[i]!.dequeue.push(dequeue);
    }
  for (const store of stores) await store.close();
  return sizes.map((size, i) => ({
    size,
    enqueue: middle(seen[i]!.enqueue),
    dequeue: middle(seen[i]!.dequeue),
  }));
}
