/** How long the client waits before it tries again. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConnectionBroken, PostriderError } from '../../../src/client/errors.ts';
import { Patience } from '../../../src/client/patience.ts';

/** The waits (ms) before each of so many tries. */
async function waits(error: Error, tries: number): Promise<number[]> {
  const waited: number[] = [];
  const patience = new Patience(60_000, undefined, (ms) => Promise.resolve(waited.push(ms)));
  for (let i = 0; i < tries; i++) await patience.afterFailure(error);
  return waited;
}

test('for a server that is not there: longer and longer, a second at most', async () => {
  assert.deepEqual(await waits(new ConnectionBroken(new Error('ENOENT')), 5), [200, 400, 800, 1_000, 1_000]);
});

test('for one that has no room now: ten seconds at most', async () => {
  const error = new PostriderError(503, {});
  assert.deepEqual(await waits(error, 7), [200, 400, 800, 1_600, 3_200, 6_400, 10_000]);
});
