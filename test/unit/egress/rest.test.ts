/** A destination rests the longer the more often it failed, and never shorter than it is told. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Refusal } from '../../../src/core/index.ts';
import { Rest } from '../../../src/mta/egress/rest.ts';
import { TwoClocks } from './two-clocks.ts';

const SILENT: Refusal = {
  scope: 'host',
  permanent: false,
  phase: 'greeting',
  reply: undefined,
  cause: 'timeout',
  text: 'no greeting',
};

test('1 s, doubling, at most 5 minutes; longer when it held a place longer', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const clock = new TwoClocks();
  let ends = 0;
  const rest = new Rest(
    () => clock.mono(),
    () => ends++,
  );
  const pass = (ms: number): void => {
    clock.advance(ms);
    t.mock.timers.tick(ms);
  };
  for (const [i, ms] of [1_000, 2_000, 4_000].entries()) {
    rest.begin(SILENT);
    pass(ms - 1);
    assert.equal(ends, i);
    assert.match(rest.text()!, /next connection in 1 s, after: no greeting/);
    pass(1);
    assert.equal(ends, i + 1);
    assert.equal(rest.text(), undefined);
  }
  rest.begin(SILENT, 600_000);
  pass(599_999);
  assert.equal(ends, 3);
  pass(1);
  assert.equal(ends, 4);
  for (let i = 0; i < 20; i++) {
    rest.begin(SILENT, 30_000);
    pass(300_000);
  }
  assert.equal(ends, 24, 'five minutes at most');
  rest.opened();
  rest.begin(SILENT);
  pass(1_000);
  assert.equal(ends, 25);
});
