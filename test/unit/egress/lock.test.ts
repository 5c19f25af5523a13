import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Lock, type LockRecord, mayProbe } from '../../../src/mta/egress/lock.ts';
import { Thresholds } from '../../../src/mta/egress/thresholds.ts';

const MINUTE = 60_000;

describe('a threshold', () => {
  const THREE = { count: 3, perMs: 10 * MINUTE };

  test('is reached by so many within its time, and then begins anew', () => {
    const thresholds = new Thresholds();
    const reached = [0, 1, 2, 3, 4, 5].map((at) => thresholds.reached('a', THREE, at * MINUTE));
    assert.deepEqual(reached, [false, false, true, false, false, true]);
  });

  test('is not reached by as many over a longer time', () => {
    const thresholds = new Thresholds();
    for (let at = 0; at < 100; at += 5) assert.ok(!thresholds.reached('a', THREE, at * MINUTE), `${at}`);
    assert.ok(thresholds.reached('a', THREE, 96 * MINUTE));
  });

  test('is counted for each key', () => {
    const thresholds = new Thresholds();
    for (const key of ['a', 'b', 'c', 'a', 'b']) assert.ok(!thresholds.reached(key, THREE, 0));
    assert.ok(thresholds.reached('a', THREE, 0));
    assert.ok(!thresholds.reached('c', THREE, 0));
  });
});

describe('a lock whose time is over', () => {
  const lock = (more: Partial<LockRecord> = {}): Lock =>
    new Lock({
      ...{ scope: 'node', node: 'n1', rule: 'stop', since: 0, until: MINUTE, level: 0, waiting: 'wait' },
      ...{ reason: '554 blocked', ...more },
    });

  test('lets one delivery go first, and no other while that one is on its way', () => {
    const one = lock();
    assert.deepEqual([mayProbe([one], MINUTE - 1), mayProbe([one], MINUTE)], [false, true]);
    one.probe = 'a';
    assert.equal(mayProbe([one], MINUTE), false);
    one.probe = undefined;
    assert.equal(mayProbe([one], MINUTE), true);
  });

  test('lets none go while another one holds', () => {
    assert.equal(mayProbe([lock(), lock({ scope: 'isp', lane: 'isp:x', until: 2 * MINUTE })], MINUTE), false);
  });
});
