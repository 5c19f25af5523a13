import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pauseAfter } from '../../../src/dashboard/live.ts';

test('pictures are made seldom enough to cost little, and often enough to be live', () => {
  for (const [tookMs, pauseMs] of [
    [1, 1_000],
    [20, 1_000],
    [100, 5_000],
    [200, 10_000],
    [5_000, 10_000],
  ] as const)
    assert.equal(pauseAfter(tookMs), pauseMs);
});
