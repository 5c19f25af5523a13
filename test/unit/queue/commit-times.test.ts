import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CommitTimes, type Kv, openMemoryKv } from '../../../src/queue/index.ts';
import { createFakeClock } from '../../support/fake-clock.ts';

const clock = createFakeClock();
const timed = (): { times: CommitTimes; commit: (ms: number) => Promise<void> } => {
  const times = new CommitTimes({ mono: () => clock.mono(), slowMs: 500 });
  let takes = 0;
  const kv = times.guard({ ...openMemoryKv(), commit: () => (clock.advance(takes), Promise.resolve()) });
  return { times, commit: (ms) => ((takes = ms), kv.commit([])) };
};

test('commits of the last minute are counted, the slow ones apart', async () => {
  const { times, commit } = timed();
  assert.deepEqual(times.measure(), { count: 0, ms: 0, slowCount: 0, slowTotalMs: 0 });
  for (const ms of [1, 499, 500, 2_000]) await commit(ms);
  assert.deepEqual(times.measure(), { count: 4, ms: 3_000, slowCount: 2, slowTotalMs: 2_500 });
  clock.advance(50_000);
  await commit(3);
  assert.equal(times.measure().count, 5);
  clock.advance(15_000);
  assert.deepEqual(times.measure(), { count: 1, ms: 3, slowCount: 0, slowTotalMs: 0 });
  clock.advance(60_000);
  assert.equal(times.measure().count, 0);
});

test('a commit that does not end counts while it is under way', async () => {
  const times = new CommitTimes({ mono: () => clock.mono(), slowMs: 500 });
  const hangs = Promise.withResolvers<void>();
  const disk: Kv = times.guard({ ...openMemoryKv(), commit: () => hangs.promise });
  const commit = disk.commit([]);
  clock.advance(499);
  assert.deepEqual([times.underWayMs, times.measure().count], [499, 0]);
  clock.advance(30_001);
  assert.deepEqual(times.measure(), { count: 1, ms: 30_500, slowCount: 1, slowTotalMs: 30_500 });
  hangs.reject(new Error('an I/O error'));
  await assert.rejects(commit, /an I\/O error/);
  assert.equal(times.underWayMs, 0);
  assert.equal(times.measure().count, 1);
});
