import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { Budget } from '../../../src/mta/egress/budget.ts';
import { restMs } from '../../../src/mta/egress/rest.ts';

function budgetOf(limitBytes: number): { budget: Budget; calls: () => number } {
  let calls = 0;
  return { budget: new Budget(limitBytes, () => void calls++), calls: () => calls };
}

describe('budget', () => {
  test('has room until the limit is reached', () => {
    const { budget } = budgetOf(100);
    budget.take(99);
    assert.ok(budget.hasRoom());
    budget.take(1);
    assert.ok(!budget.hasRoom());
  });

  test('calls once after a no, when half is free again', () => {
    const { budget, calls } = budgetOf(100);
    budget.take(120);
    assert.ok(!budget.hasRoom());
    budget.release(60);
    assert.equal(calls(), 0);
    budget.release(10);
    assert.equal(calls(), 1);
    budget.release(50);
    assert.equal(calls(), 1, 'nobody was refused since');
  });

  test('does not call where nobody was refused', () => {
    const { budget, calls } = budgetOf(100);
    budget.take(150);
    budget.release(150);
    assert.equal(calls(), 0);
  });

  test('who is refused is always called before all is free again', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1 }), (sizes) => {
        const { budget, calls } = budgetOf(100);
        const taken: number[] = [];
        for (const size of sizes) {
          if (!budget.hasRoom()) break;
          budget.take(size);
          taken.push(size);
        }
        const refused = !budget.hasRoom();
        for (const size of taken) budget.release(size);
        assert.equal(budget.bytes, 0);
        assert.equal(calls(), refused ? 1 : 0);
      }),
    );
  });
});

describe('rest', () => {
  test('one second, doubling, at most five minutes', () => {
    assert.deepEqual([1, 2, 3, 4, 9].map(restMs), [1_000, 2_000, 4_000, 8_000, 256_000]);
    assert.deepEqual([10, 11, 1_000].map(restMs), [300_000, 300_000, 300_000]);
  });
});
