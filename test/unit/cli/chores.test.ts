import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import type { Logger } from 'pino';
import { Chores, type ChoresOptions } from '../../../src/cli/chores.ts';
import { parseConfig } from '../../../src/config/index.ts';
import { openMemoryKv, Queue } from '../../../src/queue/index.ts';
import { createFakeClock } from '../../support/fake-clock.ts';

const DAY_MS = 86_400_000;

async function turns(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
}

/** Chores that nothing disturbs, but what is given. */
function choresOf(t: TestContext, queue: Queue, more: Partial<ChoresOptions> = {}): void {
  const parsed = parseConfig('hostname: mta1.example.com\n', { file: 'mta.yaml' });
  assert.ok(parsed.ok);
  const { config } = parsed.value;
  const chores = new Chores({
    queue,
    pressure: { journal: () => undefined, failing: false },
    diskIsSlow: () => false,
    spentLimits: () => () => false,
    onSweep: () => Promise.resolve(),
    log: { error: (details: unknown) => assert.fail(String(details)) } as unknown as Logger,
    config: () => config,
    ...more,
  });
  t.after(() => chores.stop());
  chores.start();
}

test('while the disk is slow or fails there is a commit each second, one at a time: only that tells of its end', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
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
  choresOf(t, queue, {
    pressure: {
      journal: () => undefined,
      get failing() {
        return state.failing;
      },
    },
    diskIsSlow: () => state.slow,
  });
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

test('what operators did is kept for 90 days', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const clock = createFakeClock();
  const { queue } = await Queue.open({ kv: openMemoryKv(), clock, report: () => undefined });
  const operator = { kind: 'socket', name: 'ann' } as const;
  for (const days of [91, 89, 0]) {
    clock.step(Date.now() - days * DAY_MS - clock.now());
    await queue.operatorLog.begin({ operator, action: `${days} days ago`, selector: {} });
  }
  choresOf(t, queue);
  t.mock.timers.tick(60_000);
  await turns();
  assert.deepEqual(
    queue.operatorLog.list({ limit: 10 }).entries.map(({ action }) => action),
    ['0 days ago', '89 days ago'],
  );
  await queue.close();
});
