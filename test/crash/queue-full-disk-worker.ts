/**
 * Accepts messages until the store cannot grow, goes on for a while, and then delivers one. Prints what was accepted
 * and what was refused. Argument: directory.
 */
import { systemClock } from '../../src/core/index.ts';
import { type MessageRecord, openLmdbKv, Queue } from '../../src/queue/index.ts';
import { leaseFrom } from '../support/queues.ts';

const CONTENT_BYTES = 50_000;
const REFUSALS = 5;
const kv = openLmdbKv({ dir: process.argv[2]!, durability: 'sync' });
const { queue } = await Queue.open({ kv, clock: systemClock, report: () => undefined });
const facts = {
  from: '',
  fromAddress: 'a@b.test',
  fromDomain: 'b.test',
  kind: 'raw',
  bytes: CONTENT_BYTES,
} as const;

async function accept(): Promise<number> {
  const now = Date.now();
  const shape = {
    eightBit: false,
    dotLine: false,
    smtpUtf8: false,
    createdAt: now,
    band: 'standard',
  } as const;
  const message: MessageRecord = { ...facts, ...shape };
  const times = { wakeAt: now, expiresAt: now + 3_600_000 };
  const record = { recipient: 'r@one.test', sender: 's', node: 'n1', ...times, attempts: [] };
  const number = queue.nextNumber();
  await queue.accept({
    number,
    message,
    content: Buffer.alloc(CONTENT_BYTES, 'x'),
    deliveries: [{ index: 1, record }],
  });
  return number;
}

const accepted: number[] = [];
const refused: string[] = [];
while (refused.length < REFUSALS) {
  try {
    accepted.push(await accept());
  } catch (error) {
    refused.push((error as Error).message);
  }
}
const [delivery] = await leaseFrom(queue, { node: 'n1', domain: 'one.test', limit: 1 });
await queue.record(delivery!, { kind: 'delivered', facts: { time: Date.now() } });
console.log(JSON.stringify({ accepted, refused, delivered: delivery!.number }));
await queue.close();
