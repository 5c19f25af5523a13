import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { retryAt, retryDelayMs, type RetryRule } from '../../../src/mta/egress/retry.ts';
import { rule } from './retry-rule.ts';

/** The waits after attempts 1, 2, ...; undefined when there is no further one. */
const delays = (one: RetryRule, random = 0): (number | undefined)[] =>
  Array.from({ length: one.attempts }, (_, i) => retryDelayMs(one, i + 1, () => random));

describe('retryDelayMs', () => {
  test('fixed: always the interval', () => {
    assert.deepEqual(delays(rule({ attempts: 4 })), [1_000, 1_000, 1_000, undefined]);
  });

  test('geometric: the exponent multiplies, up to the longest interval', () => {
    const one = rule({ type: 'geometric', attempts: 6, exponent: 3, maxIntervalMs: 20_000 });
    assert.deepEqual(delays(one), [1_000, 3_000, 9_000, 20_000, 20_000, undefined]);
  });

  test('random: from the interval to interval x (1 + modifier)', () => {
    const one = rule({ type: 'random', attempts: 2, modifier: 0.5 });
    assert.deepEqual(delays(one, 0), [1_000, undefined]);
    assert.deepEqual(delays(one, 0.5), [1_250, undefined]);
    assert.deepEqual(delays(one, 1 - Number.EPSILON), [1_500, undefined]);
  });

  test('list: in order, the last one repeats', () => {
    const one = rule({ type: 'list', attempts: 5, intervalsMs: [300, 1_800] });
    assert.deepEqual(delays(one), [300, 1_800, 1_800, 1_800, undefined]);
  });

  test('one attempt means none again', () => {
    for (const type of ['fixed', 'geometric', 'random', 'list'] as const)
      assert.deepEqual(delays(rule({ type, attempts: 1, intervalsMs: [5] })), [undefined]);
  });

  test('any rule gives a finite whole number of ms, at most the longest interval', () => {
    const rules = fc.record({
      type: fc.constantFrom('fixed' as const, 'geometric' as const, 'random' as const, 'list' as const),
      attempts: fc.integer({ min: 1, max: 2_000 }),
      intervalMs: fc.integer({ min: 1, max: 86_400_000 }),
      exponent: fc.double({ min: 1, max: 10, noNaN: true }),
      modifier: fc.double({ min: 0, max: 10, noNaN: true }),
      intervalsMs: fc.array(fc.integer({ min: 1, max: 86_400_000 }), { minLength: 1, maxLength: 5 }),
    });
    const draw = fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true });
    fc.assert(
      fc.property(rules, fc.integer({ min: 1, max: 2_100 }), draw, (wish, attempt, random) => {
        const one = rule({ ...wish, maxIntervalMs: 14_400_000 });
        const delay = retryDelayMs(one, attempt, () => random);
        if (attempt >= one.attempts) return assert.equal(delay, undefined);
        assert.ok(Number.isInteger(delay) && delay! > 0 && delay! <= 14_400_000, String(delay));
      }),
      { numRuns: 500 },
    );
  });
});

describe('retryAt', () => {
  const NOW = 1_000_000_000_003;

  test('retries that fall due near each other have one time', () => {
    const times = (count: number, apart: number, delay: number): number =>
      new Set(Array.from({ length: count }, (_, i) => retryAt(NOW + i * apart, delay))).size;
    assert.equal(times(100, 10, 1_000), 20);
    assert.ok(times(100, 10, 300_000) <= 2);
  });

  test('never before the delay is over, and later by a twentieth of it at most', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 86_400_000 }),
        fc.integer({ min: 0, max: 5_000 }),
        (delay, past) => {
          const late = retryAt(NOW + past, delay) - (NOW + past + delay);
          assert.ok(late >= 0 && late < Math.max(1, Math.min(1_000, delay / 20)), String(late));
        },
      ),
    );
  });
});
