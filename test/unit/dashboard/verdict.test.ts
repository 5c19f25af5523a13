import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Verdict, verdictOf } from '../../../src/dashboard/page/verdict.ts';

const NOTHING = { from: 0, stepMs: 1_000, delivered: [0], soft: [0], hard: [0], complaints: [0] };

const START = Date.UTC(2026, 0, 1);

const verdict = (counts: object, more: object = {}, lost = false): Verdict => {
  const queue = { new: 0, proc: 0, retry: 0, hold: 0, total: 0, oldestSeconds: 60, ...counts };
  const seen = { at: START + 3_600_000, started: START, ready: true, queue, minute: NOTHING, nodes: [] };
  return verdictOf({ ...seen, ...more }, lost);
};
const titleOf = (counts: object, lost = false): string => verdict(counts, {}, lost).title;

test('what the page says when nothing is delivered', () => {
  assert.equal(titleOf({}), 'idle');
  assert.equal(titleOf({ new: 5, hold: 3, total: 8 }), 'notSending');
  assert.equal(titleOf({ retry: 5, hold: 3, total: 8 }), 'waitingTime');
  assert.equal(titleOf({ hold: 8, total: 8 }), 'allHeld');
  assert.equal(titleOf({ hold: 8, total: 8 }, true), 'unknown');
});

test('it tells since when nothing is delivered', () => {
  const queue = { new: 5, total: 5 };
  const { note, since } = verdict(queue);
  assert.deepEqual([note, since], ['nothingSinceStart', START]);
  const later = verdict(queue, { lastDelivered: START + 1_000 });
  assert.deepEqual([later.note, later.since], ['nothingSince', START + 1_000]);
});

test('what has come just now, or waits at a start, is no trouble yet', () => {
  const queue = { new: 5, total: 5 };
  assert.equal(verdict({ ...queue, oldestSeconds: 9 }).title, 'begins');
  assert.equal(verdict({ ...queue, oldestSeconds: undefined }).title, 'notSending');
  assert.equal(verdict(queue, { at: START + 9_000 }).title, 'begins');
  assert.equal(verdict(queue, { at: START + 10_000 }).title, 'notSending');
});
