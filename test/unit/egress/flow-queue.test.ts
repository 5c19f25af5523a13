import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { DomainPlace } from '../../../src/mta/egress/domain-place.ts';
import { FlowQueue } from '../../../src/mta/egress/flow-queue.ts';
import type { LeasedDelivery } from '../../../src/queue/index.ts';
import { headOf, leased } from './leased.ts';

const queueOf = (...deliveries: LeasedDelivery[]): FlowQueue => {
  const queue = new FlowQueue(headOf(), new DomainPlace('one.test'));
  for (const delivery of deliveries) queue.push(delivery);
  return queue;
};

describe('queue of a flow', () => {
  test('behaves as an array does', () => {
    const work = fc.constantFrom('push', 'push', 'pop', 'unshift', 'drain', 'pop');
    fc.assert(
      fc.property(fc.array(work, { maxLength: 100 }), (works) => {
        const queue = queueOf();
        const model: LeasedDelivery[] = [];
        for (const one of works) {
          const delivery = leased();
          if (one === 'push') {
            queue.push(delivery);
            model.push(delivery);
          } else if (one === 'unshift') {
            queue.unshift(delivery);
            model.unshift(delivery);
          } else if (one === 'pop') assert.equal(queue.pop(), model.shift());
          else assert.deepEqual(queue.drain(), model.splice(0));
          assert.equal(queue.buffered, model.length);
        }
        assert.deepEqual(queue.drain(), model);
      }),
    );
  });

  test('is idle only when nothing is in memory, expected or under way', () => {
    const queue = queueOf();
    assert.ok(queue.idle);
    queue.claimed++;
    assert.ok(!queue.idle, 'claimed');
    queue.claimed--;
    queue.leasing = true;
    assert.ok(!queue.idle, 'leasing');
    queue.leasing = false;
    queue.place.resolving = true;
    assert.ok(!queue.idle, 'resolving');
    queue.place.resolving = false;
    queue.push(leased());
    assert.ok(!queue.idle, 'buffered');
    queue.pop();
    assert.ok(queue.idle);
  });
});
