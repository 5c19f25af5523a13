import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatAge, formatDuration } from '../../../src/core/index.ts';
import { ageText, endsInText } from '../../../src/cli/pace-text.ts';

test('when something ends: about, no sooner than, held, or nobody knows', () => {
  const at = (ms: number): string => new Date(ms).toISOString();
  for (const [row, total, said] of [
    [{ hold: 0, estimated_end: at(90_000) }, 5, '1m30s'],
    [{ hold: 2, earliest_end: at(3_660_000) }, 5, '>1h1m'],
    [{ hold: 5 }, 5, 'held'],
    [{ hold: 2 }, 5, '-'],
    [{ hold: 0 }, 0, '-'],
  ] as const)
    assert.equal(endsInText(row, total, 0), said);
});

test('an age, or a time before which nothing ends, never says more than is true', () => {
  assert.equal(ageText(59 * 60 + 40), '59m');
  assert.equal(ageText(1.9), '1s');
  assert.equal(formatAge(59_999), '59s');
  assert.equal(formatAge(-1), '0s');
  assert.equal(formatDuration(3_599_999), '59m59s');
  assert.equal(formatDuration(999.9), '999ms');
  const [at, hold] = [new Date(59 * 60_000 + 40_000).toISOString(), 0];
  assert.equal(endsInText({ hold, earliest_end: at }, 1, 0), '>59m');
  assert.equal(endsInText({ hold, estimated_end: at }, 1, 0), '1h');
});
