/**
 * Works on the queue in a directory until it is killed: accepts (with and without a claim), leases, delivers, defers,
 * releases, sweeps; tells of every promise that resolved. Arguments: directory, seed.
 */
import { deliveryIdOf, systemClock } from '../../src/core/index.ts';
import {
  type LeasedDelivery,
  type MessageRecord,
  type NewDelivery,
  openLmdbKv,
  type Outcome,
  Queue,
} from '../../src/queue/index.ts';
import { leaseFrom } from '../support/queues.ts';
import { type OutcomeKind, randomFrom, tell } from './queue-load.ts';

const [dir = '', seed = '1'] = process.argv.slice(2);
const ACTORS = 8;
const MAX_QUEUED = 400;
const MAX_CONTENT_BYTES = 20_000;
const DOMAINS = ['one.test', 'two.test', 'three.test'];
const NODES = ['n1', 'n2'];

const random = randomFrom(Number(seed));
const below = (count: number): number => Math.floor(random() * count);
const pick = <T>(all: readonly T[]): T => all[below(all.length)]!;
const kv = openLmdbKv({ dir, durability: 'sync' });
const report = (_: string, text: string): void => {
  throw new Error(`the queue reported: ${text}`);
};
/** So small that slots are folded, and groups of their log removed, all the time. */
const slotBounds = { pending: 60, logged: 300, groups: 40, many: 12, slice: 8 };
const { queue } = await Queue.open({ kv, clock: systemClock, report, slotBounds });
const granted: LeasedDelivery[] = [];
queue.attach({
  claim: () => random() < 0.3,
  unclaim: () => undefined,
  granted: (deliveries) => {
    for (const delivery of deliveries) tell({ what: 'leased', id: delivery.id });
    granted.push(...deliveries);
  },
  wake: () => undefined,
  held: () => undefined,
  ispOf: () => undefined,
});
tell({ what: 'ready' });

function message(bytes: number): MessageRecord {
  const from = { from: 'news@shop.test', fromAddress: 'news@shop.test', fromDomain: 'shop.test' };
  const shape = { kind: 'raw', bytes, eightBit: false, dotLine: false, smtpUtf8: false } as const;
  return { ...from, ...shape, createdAt: Date.now(), band: 'standard', campaignId: `c${below(3)}` };
}

function newDelivery(index: number): NewDelivery {
  const wakeAt = Date.now();
  const expiresAt = wakeAt + (random() < 0.05 ? 20 : 3_600_000);
  const place = { sender: 'promo', node: pick(NODES) };
  return {
    index,
    record: { recipient: `r${index}@${pick(DOMAINS)}`, ...place, wakeAt, expiresAt, attempts: [] },
  };
}

async function accept(): Promise<void> {
  const number = queue.nextNumber();
  const content = Buffer.alloc(1 + below(MAX_CONTENT_BYTES), 'content ');
  const deliveries = Array.from({ length: 1 + below(3) }, (_, i) => newDelivery(i + 1));
  const open = random() < 0.2;
  await queue.accept({
    number,
    message: message(content.length),
    content,
    deliveries,
    ...(open ? { open } : {}),
  });
  tell({ what: 'accepted', ids: deliveries.map(({ index }) => deliveryIdOf(number, index)) });
  if (!open) return;
  const more = [newDelivery(deliveries.length + 1)];
  await queue.accept({ number, deliveries: more, close: true });
  tell({ what: 'accepted', ids: more.map(({ index }) => deliveryIdOf(number, index)) });
}

async function lease(): Promise<void> {
  const leased = await leaseFrom(queue, { node: pick(NODES), domain: pick(DOMAINS), limit: 1 + below(20) });
  for (const { id } of leased) tell({ what: 'leased', id });
  granted.push(...leased);
}

function outcomeFor(kind: OutcomeKind): Outcome {
  const time = Date.now();
  const facts = (code: number) => ({ time, reply: { code, text: 'text', phase: 'content' } }) as const;
  switch (kind) {
    case 'delivered':
      return { kind, facts: facts(250) };
    case 'hard_bounce':
      return { kind: 'failed', type: kind, facts: facts(550), attempted: true };
    case 'deferred':
      return { kind, facts: facts(451), nextAttemptAt: time + below(50), node: pick(NODES) };
    case 'released':
      return { kind, wakeAt: time, node: pick(NODES) };
  }
}

async function finish(delivery: LeasedDelivery): Promise<void> {
  const kind = pick(['delivered', 'delivered', 'delivered', 'hard_bounce', 'deferred', 'released'] as const);
  await queue.record(delivery, outcomeFor(kind));
  tell({ what: 'outcome', id: delivery.id, kind });
}

async function actor(): Promise<never> {
  for (;;) {
    const chance = random();
    const full = queue.state.counters.sum().queued > MAX_QUEUED;
    if (chance < 0.4 && !full) await accept();
    else if (chance < 0.5) await lease();
    else if (chance < 0.51) await queue.sweep();
    else if (chance < 0.515) await queue.prune();
    else await Promise.all(granted.splice(0, 1 + below(5)).map((delivery) => finish(delivery)));
    await new Promise((resolve) => setImmediate(resolve)); // nothing may have been there to do
  }
}

await Promise.all(Array.from({ length: ACTORS }, () => actor()));
