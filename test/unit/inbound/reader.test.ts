/** What the reader does with mail whose delivery is damaged. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Classifier } from '../../../src/bounce/index.ts';
import { deliveryIdOf, ok } from '../../../src/core/index.ts';
import type { Tokens } from '../../../src/fbl/index.ts';
import { InboundReader, type ReaderOptions } from '../../../src/mta/inbound/reader.ts';
import { deliveryKey } from '../../../src/queue/keys.ts';
import { configured } from '../egress/configured.ts';
import { accept, events, openRig } from '../queue/fixture.ts';
import { readingOf } from './reading-of.ts';

const BOUNCE = readingOf('dsn');

for (const table of ['deliveries', 'history'] as const)
  test(`a bounce of what is damaged in ${table} is read once`, async () => {
    const rig = await openRig();
    const number = await accept(rig);
    const rubbish = { key: deliveryKey(number, 1), value: Buffer.from('rubbish') };
    await rig.kv.commit([
      { table, ...rubbish },
      { table: 'deliveries', ...rubbish, ...(table === 'history' && { value: undefined }) },
    ]);
    const raw = Buffer.from('report');
    const mail = {
      from: '',
      to: ['b+x@bounce.test'],
      peer: '192.0.2.1',
      helo: 'far.test',
      at: 0,
      bytes: raw.length,
    };
    await rig.queue.inbox.store(rig.queue.nextNumber(), mail, raw);
    const read: string[] = [];
    const concluded = Promise.withResolvers<void>();
    const reader = new InboundReader({
      queue: rig.queue,
      pool: { read: () => Promise.resolve(ok(BOUNCE)), close: () => Promise.resolve() },
      tokens: {
        verify: () => ok({ deliveryId: deliveryIdOf(number, 1), use: 'bounce' }),
      } as unknown as Tokens,
      clock: rig.clock,
      mx: () => configured({}).mx,
      historyRetentionMs: () => 1,
      classifier: () => new Classifier(),
      onRead: (_, verdict) => {
        read.push(verdict);
        concluded.resolve();
      },
      report: (_, __, { error }) => concluded.reject(error),
    } as Partial<ReaderOptions> as ReaderOptions);
    reader.poke();
    await concluded.promise.finally(() => reader.stop());
    assert.deepEqual(read, ['expired']);
    assert.deepEqual(rig.queue.inbox.next(0, 1), []);
    assert.equal(events(rig).at(-1)!.type, 'report_rejected');
  });
