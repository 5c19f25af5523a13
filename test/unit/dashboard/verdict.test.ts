import assert from 'node:assert/strict';
import { test } from 'node:test';
import { verdictOf } from '../../../src/dashboard/page/verdict.ts';

const NOTHING = { from: 0, stepMs: 1_000, delivered: [0], soft: [0], hard: [0], complaints: [0] };

const titleOf = (counts: object, lost = false): string => {
  const queue = { new: 0, proc: 0, retry: 0, hold: 0, total: 0, ...counts };
  return verdictOf({ ready: true, queue, minute: NOTHING, nodes: [] }, lost).title;
};

test('what the page says when nothing is delivered', () => {
  assert.equal(titleOf({}), 'idle');
  assert.equal(titleOf({ new: 5, hold: 3, total: 8 }), 'notSending');
  assert.equal(titleOf({ retry: 5, hold: 3, total: 8 }), 'waitingTime');
  assert.equal(titleOf({ hold: 8, total: 8 }), 'allHeld');
  assert.equal(titleOf({ hold: 8, total: 8 }, true), 'unknown');
});
