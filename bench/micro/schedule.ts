/** What is due in a queue, as a lease asks for it: from a store on disk that holds many other slots. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../src/core/index.ts';
import { openLmdbKv, Queue, type QueueHead } from '../../src/queue/index.ts';
import type { Part } from './index.ts';

const DOMAINS = 1_000;
const SLOTS = 100_000;
/** What a queue is asked for at a time. */
const LIMIT = 10;

let queue: Queue;
let heads: readonly QueueHead[];
let keys: readonly Buffer[];
let turn = 0;

const queued = (domain: number) =>
  ({
    record: { recipient: `u@d${domain}.test`, sender: 'main', node: 'n1', expiresAt: Infinity },
    message: { band: 'standard' },
  }) as const;

/** Slots of many queues, in the order in which mail comes. */
async function fill(): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'postrider-schedule-'));
  process.once('exit', () => rmSync(dir, { recursive: true, force: true }));
  const kv = openLmdbKv({ dir, durability: 'process' });
  ({ queue } = await Queue.open({ kv, clock: systemClock, report: () => undefined }));
  const { schedule } = queue.state;
  heads = Array.from({ length: DOMAINS }, (_, domain) => schedule.of(queued(domain)));
  const firstAt = Date.now() - SLOTS;
  for (let number = 0; number < SLOTS; number += DOMAINS) {
    const ops: Parameters<typeof schedule.addSlot>[2] = [];
    for (const [i, head] of heads.entries())
      schedule.addSlot(head, { wakeAt: firstAt + number, number: number + i + 1, index: 1 }, ops);
    await kv.commit(ops);
  }
  keys = heads.map((head) => schedule.due(head, Date.now(), 1)[0]!.key);
}

export const SCHEDULE: readonly Part[] = [
  {
    name: 'schedule',
    work: `what is due of one of ${DOMAINS} queues, ${LIMIT} slots`,
    ready: fill,
    run: () => queue.state.schedule.due(heads[turn++ % DOMAINS]!, Date.now(), LIMIT),
    limit: {
      work: `LMDB: one key, ${LIMIT} times`,
      run: () => {
        const key = keys[turn++ % DOMAINS]!;
        for (let i = 0; i < LIMIT; i++) queue.state.kv.get('schedule', key);
      },
    },
  },
];
