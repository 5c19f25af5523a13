/**
 * Puts messages through the queue in a directory until so many were accepted and all have ended, or until it is killed.
 * Contents are log-uniform between 1 and 300 KB; how many wait goes up and down, so pages of all sizes are freed and
 * wanted again. Writes a line for each promise that resolved: `a ID BYTES` accepted, `e ID` ended, `d` all done.
 * Arguments: directory, seed, messages to accept, most that wait.
 */
import { writeSync } from 'node:fs';
import { type DeliveryId, deliveryIdOf, systemClock } from '../../src/core/index.ts';
import { type LeasedDelivery, openLmdbKv, Queue, type QueueHead } from '../../src/queue/index.ts';

const [dir = '', seed = '1', messages = '0', depth = '0'] = process.argv.slice(2);
const SMALLEST = 1_000;
const LARGEST = 300_000;
const ACCEPTING = 24;
const LEASED = 50;
/** The wave of what waits: its length in messages, and its trough as a part of its crest. */
const WAVE = 10_000;
const TROUGH = 0.1;
const DOMAINS = 40;
const KEPT = { historyMs: 10_000, journalBytes: 16 * 1024 * 1024 };
const TRIM_EVERY = 2_000;
const FACTS = { from: 'news@shop.test', fromAddress: 'news@shop.test', fromDomain: 'shop.test' };
const SHAPE = { kind: 'raw', eightBit: false, dotLine: false, smtpUtf8: false, band: 'standard' } as const;

/** The same for the same seed (an LCG of Numerical Recipes, its high bits). */
let state = Number(seed) >>> 0;
const random = (): number => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
const pool = Buffer.from(Array.from({ length: LARGEST }, () => Math.floor(random() * 256)));
const contentOf = (): Buffer =>
  pool.subarray(0, Math.round(SMALLEST * Math.exp(random() * Math.log(LARGEST / SMALLEST))));

const report = (_: string, text: string, details: object): void => {
  throw new Error(`the queue reported: ${text} ${JSON.stringify(details)}`);
};
const kv = openLmdbKv({ dir, durability: 'sync' });
const { queue } = await Queue.open({ kv, clock: systemClock, report });
const due = new Set<QueueHead>(queue.state.schedule.heads());
/** Resolves with the next change of what is due, or of what waits. */
let change = Promise.withResolvers<void>();
const changed = (): void => {
  change.resolve();
  change = Promise.withResolvers();
};
queue.attach({
  claim: () => false,
  unclaim: () => undefined,
  granted: () => undefined,
  wake: (head) => {
    due.add(head);
    changed();
  },
  held: () => undefined,
  ispOf: () => undefined,
});

const wanted = Number(messages);
let [begun, accepted] = [0, 0];
const waiting = (): number => queue.state.counters.sum().queued;
const most = (): number => {
  const phase = Math.abs(((begun % WAVE) / WAVE) * 2 - 1);
  return Number(depth) * (TROUGH + (1 - TROUGH) * phase);
};
let lines = '';
const tell = (line: string): void => void (lines += `${line}\n`);
const flush = (): void => {
  if (lines !== '') writeSync(1, lines);
  lines = '';
};

async function accept(): Promise<void> {
  const content = contentOf();
  const number = queue.nextNumber();
  const wakeAt = systemClock.now();
  const recipient = `r@d${number % DOMAINS}.test`;
  const times = { wakeAt, expiresAt: wakeAt + 86_400_000 };
  const record = { recipient, sender: 'promo', node: 'n1', ...times, attempts: [] };
  await queue.accept({
    number,
    message: { ...FACTS, ...SHAPE, bytes: content.length, createdAt: wakeAt },
    content,
    deliveries: [{ index: 1, record }],
  });
  accepted++;
  tell(`a ${deliveryIdOf(number, 1)} ${content.length}`);
  changed();
}

async function accepting(): Promise<void> {
  while (begun < wanted) {
    if (waiting() >= most()) {
      await change.promise;
      continue;
    }
    begun++;
    await accept();
    if (begun % TRIM_EVERY === 0) await trim();
  }
}

const trim = (): Promise<number> =>
  queue.trim({
    historyBefore: systemClock.now() - KEPT.historyMs,
    journalBefore: 0,
    journalBytes: KEPT.journalBytes,
  });

async function end(delivery: LeasedDelivery): Promise<DeliveryId> {
  const reply = { code: 250, text: 'ok', phase: 'content' } as const;
  await queue.record(delivery, { kind: 'delivered', facts: { time: systemClock.now(), reply } });
  return delivery.id;
}

async function ending(): Promise<void> {
  for (;;) {
    const [head] = due;
    if (!head) {
      flush();
      if (accepted >= wanted && waiting() === 0) return;
      await change.promise;
      continue;
    }
    due.delete(head);
    const leased = await queue.lease({ queue: head, limit: LEASED });
    for (const id of await Promise.all(leased.map(end))) tell(`e ${id}`);
    flush();
    changed();
  }
}

await Promise.all([...Array.from({ length: ACCEPTING }, accepting), ending()]);
await trim();
tell('d');
flush();
await queue.close();
