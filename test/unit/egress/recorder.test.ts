import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Recorder } from '../../../src/mta/egress/recorder.ts';
import type { Queue } from '../../../src/queue/index.ts';
import { leased } from './leased.ts';

test('all who wait for room have it when all is recorded, though they record nothing themselves', async () => {
  const stored = Promise.withResolvers<void>();
  const queue = { record: () => stored.promise } as unknown as Queue;
  const recorder = new Recorder(queue, () => undefined);
  const delivery = leased();
  for (let i = 0; i < 2_000; i++) void recorder.record(delivery, { kind: 'released', wakeAt: 0 });
  let had = 0;
  for (let i = 0; i < 3_000; i++) void recorder.room()!.then(() => had++);
  stored.resolve();
  await recorder.drained();
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(had, 3_000);
});
