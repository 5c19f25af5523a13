import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Uptime } from '../../../src/cli/uptime.ts';
import { createFakeClock } from '../../support/fake-clock.ts';

test('how long it runs does not change when the clock is set, and by how much it was is told', () => {
  const clock = createFakeClock();
  const started = clock.now();
  const uptime = new Uptime(clock);
  clock.advance(60_000);
  assert.deepEqual(uptime.figures(), { started, upMs: 60_000, clockSetMs: 0 });
  clock.step(5 * 3_600_000);
  assert.deepEqual(uptime.figures(), { started, upMs: 60_000, clockSetMs: 5 * 3_600_000 });
  clock.step(-10 * 3_600_000);
  clock.advance(1_000);
  assert.deepEqual(uptime.figures(), { started, upMs: 61_000, clockSetMs: -5 * 3_600_000 });
});
