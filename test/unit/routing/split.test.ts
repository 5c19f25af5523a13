import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { nextOf } from '../../../src/routing/index.ts';

const all = (): boolean => true;

/** Choices one after the other. */
function splitOf(weights: readonly number[]): {
  next(qualifies: (item: number) => boolean): number | undefined;
} {
  let owed: readonly number[] | undefined;
  return {
    next: (qualifies) => {
      const choice = nextOf(weights, owed, qualifies);
      owed = choice?.owed ?? owed;
      return choice?.index;
    },
  };
}

/** No item is ever off its share by one or more, at any point of the run. */
function assertExact(weights: readonly number[], choices: number): void {
  const split = splitOf(weights);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const counts = weights.map(() => 0);
  for (let n = 1; n <= choices; n++) {
    counts[split.next(all)!]!++;
    for (const [i, weight] of weights.entries()) {
      const off = Math.abs(counts[i]! - (n * weight) / total);
      assert.ok(off < 1, `after ${n} choices item ${i} of ${weights.join(':')} is off by ${off}`);
    }
  }
}

describe('smooth split', () => {
  test('every share is exact within one, after any number of choices', () => {
    const weights = fc.array(fc.oneof(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 100 })), {
      minLength: 1,
      maxLength: 12,
    });
    fc.assert(
      fc.property(weights, fc.integer({ min: 1, max: 700 }), (list, choices) => assertExact(list, choices)),
      { numRuns: 300 },
    );
  });

  test('also for percentages with decimals', () => {
    const percent = fc.double({ min: 0.1, max: 99, noNaN: true });
    fc.assert(
      fc.property(fc.array(percent, { minLength: 2, maxLength: 6 }), (list) => assertExact(list, 400)),
    );
  });

  test('also where the furthest behind would miss', () => assertExact([91, 1, 3, 3, 1, 1, 70], 1_700));

  test('equal shares alternate', () => {
    const split = splitOf([1, 1]);
    const run = Array.from({ length: 10 }, () => split.next(all)).join('');
    assert.ok(run === '0101010101' || run === '1010101010', run);
  });

  test('a share of nothing gets nothing', () => {
    const split = splitOf([0, 100]);
    for (let i = 0; i < 50; i++) assert.equal(split.next(all), 1);
  });

  test('only items that qualify are chosen; undefined when there is none', () => {
    fc.assert(
      fc.property(fc.array(fc.array(fc.boolean(), { minLength: 4, maxLength: 4 })), (rounds) => {
        const split = splitOf([10, 20, 30, 40]);
        for (const up of rounds) {
          const item = split.next((one) => up[one]!);
          if (up.includes(true)) assert.ok(item !== undefined && up[item]);
          else assert.equal(item, undefined);
        }
      }),
    );
  });

  test('the share of one that is out goes to the others in proportion, and nothing is made up for later', () => {
    const split = splitOf([50, 30, 20]);
    const counts = [0, 0, 0];
    for (let i = 0; i < 100; i++) counts[split.next((item) => item !== 0)!]!++;
    assert.deepEqual(counts, [0, 60, 40]);
    for (let i = 0; i < 100; i++) counts[split.next(all)!]!++;
    assert.deepEqual(counts, [50, 90, 60]);
  });
});
