/** What the page shows of the recent past is counted in fixed memory and forgets in time. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Observer } from '../../../src/dashboard/observer.ts';
import { RefusalTally } from '../../../src/dashboard/refusal-tally.ts';
import { TimeRing } from '../../../src/alerts/index.ts';
import type { EventDraft } from '../../../src/queue/index.ts';

const START = Date.UTC(2026, 0, 1);
const MINUTE = 60_000;

const refusal = (text: string, at = START, isp = 'greymail'): EventDraft => ({
  type: 'soft_bounce',
  time: at,
  isp,
  node: 'n1',
  reply: { code: 451, enhanced: '4.7.1', text, phase: 'rcpt' },
});

describe('a ring of counts', () => {
  test('has each count in its step, the one under way last', () => {
    const ring = new TimeRing(1_000, 4);
    ring.add('delivered', START);
    ring.add('delivered', START + 2_000);
    ring.add('complaints', START + 2_999);
    const { from, delivered, complaints } = ring.series(START + 2_500);
    assert.deepEqual(delivered, [0, 1, 0, 1]);
    assert.deepEqual(complaints, [0, 0, 0, 1]);
    assert.equal(from, START - 1_000);
  });

  test('forgets what is older than itself, also after a long silence', () => {
    const ring = new TimeRing(1_000, 4);
    for (let i = 0; i < 4; i++) ring.add('soft', START + i * 1_000);
    assert.deepEqual(ring.series(START + 5_000).soft, [1, 1, 0, 0]);
    assert.deepEqual(ring.series(START + 90_000).soft, [0, 0, 0, 0]);
  });

  test('a clock that steps back loses no count', () => {
    const ring = new TimeRing(1_000, 4);
    ring.add('hard', START + 3_000);
    ring.add('hard', START);
    assert.deepEqual(ring.series(START).hard, [0, 0, 0, 2]);
  });
});

describe('the tally of refusals', () => {
  test('replies that differ only in addresses are one, and name nobody', () => {
    const tally = new RefusalTally();
    tally.add(refusal('user a@example.net is over quota'));
    tally.add(refusal('user b@example.net is over quota'));
    tally.add(refusal('try later'));
    const top = tally.top(10, START);
    assert.deepEqual(
      top.map(({ count }) => count),
      [2, 1],
    );
    assert.doesNotMatch(top[0]!.text ?? '', /@example/);
  });

  test('forgets after an hour', () => {
    const tally = new RefusalTally();
    tally.add(refusal('try later'));
    assert.equal(tally.top(10, START + 40 * MINUTE).length, 1);
    assert.equal(tally.top(10, START + 61 * MINUTE).length, 0);
  });

  test('does not grow with the number of different replies', () => {
    const tally = new RefusalTally();
    for (let i = 0; i < 2_000; i++) tally.add(refusal('try later', START, `isp${i}`));
    assert.ok(tally.top(5_000, START).length <= 500);
  });
});

test('of what a job removed the newest are shown, each with its recipient', () => {
  const observer = new Observer();
  const draft: EventDraft = { type: 'undelivered', reason: 'removed', time: START };
  const indexes = Array.from({ length: 100 }, (_, i) => i + 1);
  const recipients = indexes.map((index) => `r${index}@x.test`);
  observer.addRun({ draft, number: 1, indexes, recipients, after: 0 });
  const shown = observer.recent.after(0).map(({ recipient }) => recipient);
  assert.deepEqual([shown.length, shown[0], shown.at(-1)], [60, 'r41@x.test', 'r100@x.test']);
});

test('each cell of a large site is counted', () => {
  const observer = new Observer();
  const [nodes, isps] = [100, 300];
  for (let i = 0; i < nodes * isps; i++)
    observer.add({
      type: 'delivered',
      time: START,
      node: `n${i % nodes}`,
      isp: `isp${Math.floor(i / nodes)}`,
    });
  assert.equal(observer.recently('n99', 'isp299', START).delivered, 1);
});
