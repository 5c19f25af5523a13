/**
 * Random operations, several to a commit, with failing commits, crashes and clean restarts, against a model that is a
 * plain list. After every commit: same deliveries, same order, same counts, same events, a clean audit.
 */
import fc from 'fast-check';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { openLmdbKv, openMemoryKv } from '../../../src/queue/index.ts';
import { FaultyKv } from './fixture.ts';
import { ModelRun } from './model-run.ts';
import { steps } from './model-steps.ts';

const RUNS = Number(process.env['MODEL_RUNS'] ?? 200);

test('the queue does what its model does, in memory', { timeout: 60_000 + 500 * RUNS }, async () => {
  const property = fc.asyncProperty(steps, async (all) => {
    const run = await ModelRun.start(new FaultyKv(openMemoryKv()), (kv) => Promise.resolve(kv));
    await run.run(all);
  });
  await fc.assert(property, { numRuns: RUNS });
});

test('the queue does what its model does, on LMDB', { timeout: 120_000 }, async (t) => {
  const root = mkdtempSync(join(tmpdir(), 'postrider-model-'));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  const property = fc.asyncProperty(steps, async (all) => {
    const dir = mkdtempSync(join(root, 'run-'));
    const open = (): FaultyKv => new FaultyKv(openLmdbKv({ dir, durability: 'process' }));
    const run = await ModelRun.start(open(), async (kv, clean) => {
      if (!clean) await kv.close();
      return open();
    });
    await run.run(all);
    await run.close();
  });
  await fc.assert(property, { numRuns: 20 });
});
