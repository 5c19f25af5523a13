import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Logger } from 'pino';
import { Chores } from '../../../src/cli/chores.ts';
import { parseConfig } from '../../../src/config/index.ts';
import { openMemoryKv, Queue } from '../../../src/queue/index.ts';
import { createFakeClock } from '../../support/fake-clock.ts';

async function turns(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
}

test('while the disk is slow or fails there is a commit each second, one at a time: only that tells of its end', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const parsed = parseConfig('hostname: mta1.example.com\n', { file: 'mta.yaml' });
  assert.ok(parsed.ok);
  const { config } = parsed.value;
  const memory = openMemoryKv();
  let commits = 0;
  let disk = Promise.withResolvers<void>();
  disk.resolve();
  const kv = {
    ...memory,
    commit: (ops: Parameters<typeof memory.commit>[0]) => (
      commits++,
      disk.promise.then(() => memory.commit(ops))
    ),
  };
  const { queue } = await Queue.open({ kv, clock: createFakeClock(), report: () => undefined });
  const state = { slow: false, failing: false };
  const chores = new Chores({
    queue,
    pressure: {
      journal: () => undefined,
      get failing() {
        return state.failing;
      },
    },
    diskIsSlow: () => state.slow,
    spentLimits: () => () => false,
    onSweep: () => Promise.resolve(),
    log: { error: (details: unknown) => assert.fail(String(details)) } as unknown as Logger,
    config: () => config,
  });
  t.after(() => chores.stop());
  chores.start();
  const second = async (): Promise<number> => {
    const before = commits;
    t.mock.timers.tick(1_000);
    await turns();
    return commits - before;
  };
  assert.equal(await second(), 0, 'nobody writes for no reason');
  state.slow = true;
  assert.equal(await second(), 1);
  disk = Promise.withResolvers<void>();
  assert.deepEqual([await second(), await second(), await second()], [1, 0, 0], 'a disk that hangs');
  disk.resolve();
  await turns();
  assert.equal(await second(), 1);
  [state.slow, state.failing] = [false, true];
  assert.equal(await second(), 1);
  state.failing = false;
  assert.equal(await second(), 0);
  await queue.close();
});
