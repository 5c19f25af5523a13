import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { type Wake, WakeHeap } from '../../../src/mta/egress/wake-heap.ts';
import { headOf } from './leased.ts';

const wake = (at: number, domain = 'a.test'): Wake => ({ at, queue: headOf({ domain }) });

/** A number is a wake at that time, null takes one. */
const works = fc.array(fc.option(fc.nat(50), { freq: 2 }), { maxLength: 200 });

describe('wake heap', () => {
  test('behaves as a sorted list does', () => {
    fc.assert(
      fc.property(works, fc.nat(60), (list, now) => {
        const heap = new WakeHeap();
        const model: number[] = [];
        for (const at of list) {
          if (at === null) {
            const due = model[0] !== undefined && model[0] <= now ? model.shift() : undefined;
            assert.equal(heap.pop(now)?.at, due);
          } else {
            heap.push(wake(at));
            model.push(at);
            model.sort((a, b) => a - b);
          }
          assert.equal(heap.earliest, model[0] ?? Infinity);
          assert.equal(heap.size, model.length);
        }
        const rest: number[] = [];
        for (let next = heap.pop(Infinity); next; next = heap.pop(Infinity)) rest.push(next.at);
        assert.deepEqual(rest, model);
      }),
      { numRuns: 500 },
    );
  });

  test('every entry comes out once, those of equal time too', () => {
    const heap = new WakeHeap();
    const domains = Array.from({ length: 100 }, (_, i) => `d${i}.test`);
    for (const domain of domains) heap.push(wake(7, domain));
    const popped = domains.map(() => heap.pop(7)!.queue.domain);
    assert.deepEqual(popped.sort(), domains.sort());
    assert.equal(heap.pop(7), undefined);
  });

  test('what is not due stays', () => {
    const heap = new WakeHeap();
    heap.push(wake(10));
    assert.equal(heap.pop(9), undefined);
    assert.equal(heap.pop(10)?.at, 10);
    assert.equal(heap.earliest, Infinity);
  });
});
