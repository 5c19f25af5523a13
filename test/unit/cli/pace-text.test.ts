import assert from 'node:assert/strict';
import { test } from 'node:test';
import { endsInText } from '../../../src/cli/pace-text.ts';

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
