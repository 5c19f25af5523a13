import assert from 'node:assert/strict';
import { test } from 'node:test';
import { statusText } from '../../../src/cli/status.ts';
import { createPaper } from './paper.ts';
import { STATUS } from './status-view.ts';

const PLAIN = createPaper();

test('status shows the balance and what is wrong', () => {
  const text = statusText(PLAIN, STATUS);
  assert.match(text, /mta1\.a\.test: not ready\n {2}node n2 is down\n/);
  assert.match(text, /^sending {5}2 delivered, 5 put off, 1 bounced in the last [^;]+; the last delivery /m);
  assert.match(text, /^ALERT {7}node_down: node n2 is down for 1m \(since .*; not seen any more for /m);
  assert.match(
    text,
    /^ {2}gmail: 6 waiting, the oldest for 1h: locked\n {2}and 3 more: postrider queue list$/m,
  );
  assert.match(text, /^durability {2}sync; a commit takes 1\.2s, 3 in the last minute were slow$/m);
  assert.match(text, /^next {8}postrider explain gmail /m);
  assert.match(text, /6 \(1 new, 2 proc, 3 retry, 0 hold\), oldest 1h\n/);
  assert.match(text, /10 = 2 delivered \+ 2 failed \+ 0 removed \+ 6 queued\n/);
  assert.match(
    text,
    /1 of 2 running, 3 sessions\n {2}n2 \(192\.0\.2\.2\) is down since 2026-01-01 00:00:00Z, 1m\n/,
  );
});

test('commits that are quick, and none at all, are no reason for more words', () => {
  const quick = { ...STATUS, commits: { count: 4, mean_ms: 0.412, slow: 0 } };
  assert.match(statusText(PLAIN, quick), /^durability {2}sync; a commit takes 0\.4ms$/m);
  assert.match(statusText(PLAIN, { ...STATUS, commits: { count: 0, slow: 0 } }), /^durability {2}sync$/m);
});

test('a clock that was set is told, because ages go by it', () => {
  assert.doesNotMatch(statusText(PLAIN, STATUS), /^clock/m);
  const set = (seconds: number): string => statusText(PLAIN, { ...STATUS, clock_set_seconds: seconds });
  assert.match(set(18_000), /^clock {7}was set forward by 5h since the start: ages .* too long$/m);
  assert.match(set(-60), /^clock {7}was set back by 1m since the start: ages .* too short$/m);
});

test('mail that is held is told, and no ISP is explained where none waits', () => {
  const held = { ...STATUS, queue: { ...STATUS.queue, hold: 5 }, flow: { ...STATUS.flow, waiting: [] } };
  const text = statusText(PLAIN, held);
  assert.match(text, /^ {2}5 are held: postrider queue list says by whom and since when$/m);
  assert.match(text, /^next {8}postrider queue list --by isp,campaign; postrider node list$/m);
  assert.doesNotMatch(statusText(PLAIN, STATUS), /are held/);
});
