/**
 * Fills a disk beside a store, defers deliveries there, makes room and defers more. Prints how many slots went to their
 * table each time, what LMDB could not write and what the audit says. Argument: a directory on a small file system.
 */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../../src/core/index.ts';
import {
  copyStore,
  type Kv,
  type MessageRecord,
  openLmdbKv,
  Pressure,
  Queue,
} from '../../src/queue/index.ts';
import { freeIn } from '../../src/queue/store-file.ts';
import { auditStore } from '../support/audit.ts';

const MB = 1024 * 1024;
const RESERVE = MB;
const QUEUES = 4_000;
const OUTCOMES = 2_000;
const BATCHES = 120;
/** Small, so that each commit has something to fold. */
const SLOTS = { pending: 1_000, logged: 4_000, groups: 200, many: 64, slice: 4_000 };

async function acceptBatch(queue: Queue, batch: number): Promise<void> {
  const createdAt = Date.now();
  const shape = { bytes: 5, eightBit: false, dotLine: false, smtpUtf8: false, createdAt } as const;
  const from = { from: '', fromAddress: 'a@b.test', fromDomain: 'b.test' };
  const message: MessageRecord = { ...from, ...shape, kind: 'raw', band: 'standard' };
  const times = { wakeAt: createdAt, expiresAt: createdAt + 3_600_000 };
  const deliveries = Array.from({ length: 500 }, (_, i) => {
    const recipient = `r${batch}@d${(batch * 500 + i) % QUEUES}.test`;
    return { index: i + 1, record: { recipient, sender: 's', node: 'n1', ...times, attempts: [] } };
  });
  await queue.accept({ number: queue.nextNumber(), message, content: Buffer.from('Hello'), deliveries });
}

/** Leases and defers one delivery of each of so many queues: each takes a slot and adds another one. */
async function deferEach(queue: Queue, count: number): Promise<void> {
  const heads = [...queue.state.schedule.heads()].slice(0, count);
  for (let from = 0; from < heads.length; from += 100) {
    const leases = heads.slice(from, from + 100).map((head) => queue.lease({ queue: head, limit: 1 }));
    const leased = (await Promise.all(leases)).flat();
    const facts = { time: Date.now() };
    const nextAttemptAt = Date.now() + 600_000;
    await Promise.all(leased.map((one) => queue.record(one, { kind: 'deferred', facts, nextAttemptAt })));
  }
}

interface Store {
  readonly queue: Queue;
  readonly kv: Kv;
  /** Why LMDB could not write. */
  readonly failures: readonly string[];
  /** Slots that went to their table since this was called the last time. */
  readonly folded: () => number;
  readonly close: () => Promise<void>;
}

async function openStore(dir: string): Promise<Store> {
  const pressure = new Pressure({ dir, reserveBytes: RESERVE, report: () => undefined });
  await pressure.reserved;
  const kv = openLmdbKv({ dir, durability: 'sync' });
  const failures: string[] = [];
  let count = 0;
  const commit: Kv['commit'] = async (ops) => {
    await kv.commit(ops).catch((error: unknown) => {
      failures.push((error as Error).message);
      throw error;
    });
    count += ops.filter(({ table }) => table === 'schedule').length;
  };
  const { queue } = await Queue.open({
    kv: pressure.guard({ ...kv, commit }),
    clock: systemClock,
    report: (_, text) => void failures.push(text),
    slotBounds: SLOTS,
  });
  const folded = (): number => {
    const before = count;
    count = 0;
    return before;
  };
  const close = async (): Promise<void> => {
    pressure.close();
    await queue.close();
  };
  return { queue, kv, failures, folded, close };
}

const dir = process.argv[2]!;
const first = await openStore(dir);
for (let batch = 0; batch < BATCHES; batch++) await acceptBatch(first.queue, batch);
await first.close();
// A copy has no free pages, so whatever is written needs room.
const copy = join(dir, 'copy');
await copyStore(dir, copy);
const { queue, kv, folded, failures, close } = await openStore(copy);
const filler = join(dir, 'filler');
writeFileSync(filler, Buffer.alloc(freeIn(dir) - RESERVE / 2));
folded();
await deferEach(queue, OUTCOMES);
const full = folded();
const violations = auditStore(kv);
rmSync(filler);
await deferEach(queue, OUTCOMES);
const later = folded();
violations.push(...auditStore(kv));
await close();
console.log(JSON.stringify({ full, later, failures, violations }));
