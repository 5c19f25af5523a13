/** Queues are woken at their time, also when the wall clock is set. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { Alarm } from '../../../src/mta/egress/alarm.ts';
import type { QueueHead } from '../../../src/queue/index.ts';
import { createFakeClock } from '../../support/fake-clock.ts';

const HOUR = 3_600_000;

function rig(t: TestContext) {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const clock = createFakeClock();
  const woken: string[] = [];
  /** Of queues that are looked at before their time: when they have something due. */
  const later = new Map<string, number>();
  const alarm: Alarm = new Alarm({
    clock,
    wake: (head) => {
      woken.push(head.domain);
      const at = later.get(head.domain);
      if (at !== undefined && at > clock.now()) alarm.set(head, at);
    },
  });
  const set = (domain: string, at: number): void => alarm.set({ domain } as QueueHead, at);
  const pass = (ms: number): void => {
    clock.advance(ms);
    t.mock.timers.tick(ms);
  };
  return { clock, alarm, woken, later, set, pass };
}

test('each at its time', (t) => {
  const { clock, woken, set, pass } = rig(t);
  set('late', clock.now() + 2_000);
  set('soon', clock.now() + 1_000);
  pass(1_000);
  assert.deepEqual(woken, ['soon']);
  pass(1_000);
  assert.deepEqual(woken, ['soon', 'late']);
});

test('a clock that is set back by hours wakes all within half a minute, each once', (t) => {
  const { clock, woken, later, set, pass } = rig(t);
  later.set('waits', clock.now() + HOUR);
  set('waits', clock.now() + HOUR);
  set('due', clock.now() + 60_000);
  clock.step(-5 * HOUR);
  pass(30_000);
  assert.deepEqual(woken.sort(), ['due', 'waits']);
  pass(60_000);
  assert.deepEqual(woken.sort(), ['due', 'waits'], 'nobody is woken again and again');
});

test('who is set after the clock was set back wakes all at once', (t) => {
  const { clock, woken, set, pass } = rig(t);
  set('due', clock.now() + 20_000);
  clock.step(-5 * HOUR);
  set('new', clock.now() + 10 * HOUR);
  pass(1);
  assert.deepEqual(woken.sort(), ['due', 'new']);
});

test('one queue is there once for each time, however often it is set, and goes with it', (t) => {
  const { alarm, clock, woken, pass } = rig(t);
  const head = { domain: 'one' } as QueueHead;
  for (let i = 0; i < 1_000; i++) alarm.set(head, clock.now() + 1_000);
  assert.equal(alarm.size, 1);
  pass(1_000);
  assert.deepEqual([alarm.size, woken], [0, ['one']]);
  alarm.set(head, clock.now() + 1_000);
  pass(1_000);
  assert.deepEqual(woken, ['one', 'one']);
});
