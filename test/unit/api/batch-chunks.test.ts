import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Ack, BatchChunks } from '../../../src/api/batch-chunks.ts';
import { messageIdOf } from '../../../src/core/index.ts';
import type { Batch, BatchLine, RejectedLine } from '../../../src/mta/ingress/index.ts';

interface Added {
  readonly lines: readonly BatchLine[];
  readonly resolve: (rejected: readonly RejectedLine[]) => void;
  readonly reject: (error: Error) => void;
}

function setUp(): { chunks: BatchChunks; added: Added[]; acks: Ack[] } {
  const added: Added[] = [];
  const acks: Ack[] = [];
  const batch: Batch = {
    messageId: messageIdOf(1),
    resumed: false,
    add: (lines) => new Promise((resolve, reject) => void added.push({ lines, resolve, reject })),
    close: () => Promise.resolve(),
  };
  const chunks = new BatchChunks(
    batch,
    () => 0,
    (ack) => {
      acks.push(ack);
      return Promise.resolve();
    },
  );
  return { chunks, added, acks };
}
const line = (number: number) => ({ number, bytes: Buffer.from(`{"to":"u${number}@a.test"}`) });
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('chunks of a batch', () => {
  test('are acknowledged in order, also when a later one is committed first', async () => {
    const { chunks, added, acks } = setUp();
    await chunks.take([line(2)]);
    await chunks.take([line(3)]);
    added[1]!.resolve([{ line: 3, field: 'to', message: 'bad' }]);
    await turn();
    assert.deepEqual(acks, []);
    added[0]!.resolve([]);
    await chunks.finish();
    assert.deepEqual(acks, [
      { acked_through: 2, rejected: [] },
      { acked_through: 3, rejected: [{ line: 3, field: 'to', message: 'bad' }] },
    ]);
    assert.deepEqual([chunks.accepted, chunks.rejected, chunks.ackedThrough], [1, 1, 3]);
  });

  test('a third one is gathered until one of two has ended, then sent without waiting for more', async () => {
    const { chunks, added } = setUp();
    await chunks.take([line(2)]);
    await chunks.take([line(3)]);
    await chunks.take([line(4)]);
    await chunks.take([line(5)]);
    assert.equal(added.length, 2);
    added[0]!.resolve([]);
    await turn();
    assert.deepEqual(
      added[2]!.lines.map((one) => one.line),
      [4, 5],
    );
  });

  test('nothing after a refused one is acknowledged, and no more is taken', async () => {
    const { chunks, added, acks } = setUp();
    await chunks.take([line(2)]);
    await chunks.take([line(3)]);
    added[1]!.resolve([]);
    added[0]!.reject(new Error('disk full'));
    await chunks.finish();
    assert.deepEqual(acks, []);
    assert.match(String(chunks.failure?.kind === 'store' && chunks.failure.error), /disk full/);
    await chunks.take([line(4)]);
    await chunks.finish();
    assert.equal(added.length, 2);
    assert.equal(chunks.ackedThrough, 1);
  });

  test('a chunk has at most 500 lines', async () => {
    const { chunks, added } = setUp();
    const taken = chunks.take(Array.from({ length: 1200 }, (_, i) => line(i + 2)));
    while (added.length < 2) await turn();
    for (const one of added) one.resolve([]);
    await taken;
    const finished = chunks.finish();
    while (added.length < 3) await turn();
    added[2]!.resolve([]);
    await finished;
    assert.deepEqual(
      added.map(({ lines }) => lines.length),
      [500, 500, 200],
    );
  });

  test('a chunk of nothing but bad lines does not go to the store', async () => {
    const { chunks, added, acks } = setUp();
    await chunks.take([
      { number: 2, bytes: Buffer.from('x') },
      { number: 3, bytes: undefined },
    ]);
    await chunks.finish();
    assert.equal(added.length, 0);
    assert.deepEqual(
      acks[0]!.rejected.map((one) => one.line),
      [2, 3],
    );
  });

  test('lines that were not sent when the batch is abandoned are dropped', async () => {
    const { chunks, added, acks } = setUp();
    for (const number of [2, 3, 4]) await chunks.take([line(number)]);
    const abandoned = chunks.abandon();
    for (const one of added) one.resolve([]);
    await abandoned;
    assert.equal(added.length, 2);
    assert.equal(acks.at(-1)!.acked_through, 3);
  });
});
