import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { createMetrics, type Metrics, Slices } from '../../../src/api/index.ts';
import { addRow, noCounts } from '../../../src/api/queue-counts.ts';
import type { NodeStatus } from '../../../src/mta/egress/index.ts';
import { type EventDraft, openMemoryKv, Queue } from '../../../src/queue/index.ts';
import { createFakeClock, type FakeClock } from '../../support/fake-clock.ts';
import { FakeEgress } from './fake-egress.ts';

async function setUp(
  t: TestContext,
  egress = new FakeEgress(),
): Promise<{ metrics: Metrics; clock: FakeClock; queue: Queue }> {
  const clock = createFakeClock();
  const { queue } = await Queue.open({ kv: openMemoryKv(), clock, report: () => undefined });
  const metrics = createMetrics({
    queue,
    egress,
    clock,
    version: '1.2.3',
    durability: 'sync',
  });
  t.after(() => {
    metrics.close();
    return queue.close();
  });
  return { metrics, clock, queue };
}

const event = (fields: Partial<EventDraft>): EventDraft => ({
  type: 'delivered',
  time: 0,
  recipient: 'u@a.test',
  node: 'n1',
  isp: 'gmail',
  ...fields,
});
/** 100 nodes with a lane for each of 300 ISPs, every tenth of them with a session. */
class LargeEgress extends FakeEgress {
  override nodes(): readonly NodeStatus[] {
    const [node] = super.nodes();
    const lane = node!.lanes[0]!;
    return Array.from({ length: 100 }, (_, n) => ({
      ...node!,
      name: `n${n}`,
      lanes: Array.from({ length: 300 }, (_, i) => {
        const isp = i === 0 ? 'other' : `isp${i}`;
        return { ...lane, isp, key: isp, sessions: i % 10 === 1 ? 1 : 0 };
      }),
    }));
  }
}

const REPLY = { code: 451, text: 'later', phase: 'rcpt' } as const;

describe('metrics', () => {
  test('who follows the journal is as far behind as its slowest reader of that name, until it ends', async (t) => {
    const { metrics, queue } = await setUp(t);
    await queue.announce({ type: 'config', time: 0 });
    await queue.announce({ type: 'config', time: 0 });
    const { readers, last } = queue.state.journal;
    assert.equal(last, 2);
    readers.add({ name: 'api', position: () => 2 });
    const slow = readers.add({ name: 'api', position: () => 0 });
    assert.match(await metrics.registry.metrics(), /^postrider_journal_lag_events\{reader="api"\} 2$/m);
    slow();
    assert.match(await metrics.registry.metrics(), /^postrider_journal_lag_events\{reader="api"\} 0$/m);
  });

  test('attempts, bounces and duplicates come from the events of commits', async (t) => {
    const { metrics } = await setUp(t);
    metrics.onCommit({
      ms: 3,
      events: [
        event({ type: 'accepted' }),
        event({ type: 'delivered', possible_duplicate: true }),
        event({ type: 'delivered' }),
        event({ type: 'soft_bounce', reply: REPLY, bounce: { class: 'soft', category: 'greylisted' } }),
        event({ type: 'undelivered', reason: 'lifetime', bounce: { class: 'soft', category: 'expired' } }),
        { type: 'alert', time: 0 },
      ],
    });
    const text = await metrics.registry.metrics();
    for (const line of [
      'postrider_attempts_total{isp="gmail",node="n1",outcome="delivered"} 2',
      'postrider_attempts_total{isp="gmail",node="n1",outcome="soft_bounce"} 1',
      'postrider_bounces_total{class="soft",category="greylisted",isp="gmail"} 1',
      'postrider_bounces_total{class="soft",category="expired",isp="gmail"} 1',
      'postrider_possible_duplicates_total 1',
      'postrider_commit_events_sum 6',
      'postrider_commit_seconds_sum 0.003',
      'postrider_durability{level="sync"} 1',
      'postrider_sessions{node="n1"} 3',
      'postrider_lane_sessions{node="n1",isp="gmail"} 3',
    ])
      assert.ok(text.includes(`${line}\n`), line);
    assert.ok(!text.includes('outcome="undelivered"'), 'the end of a lifetime is no attempt');
    assert.equal(metrics.commits, 1);
  });

  test('what a job removed or moved was written and is no attempt', async (t) => {
    const { metrics } = await setUp(t);
    const draft = event({ type: 'undelivered', reason: 'removed' });
    const run = {
      draft,
      number: 1,
      indexes: [1, 2, 3],
      recipients: ['a@x.test', 'b@x.test', 'c@x.test'],
      after: 0,
    };
    metrics.onCommit({ ms: 1, events: [event({ type: 'delivered' })], runs: [run] });
    const text = await metrics.registry.metrics();
    assert.match(text, /^postrider_commit_events_sum 4$/m);
    assert.doesNotMatch(text, /outcome="undelivered"/);
  });

  test('test sends and copies count in none of them', async (t) => {
    const { metrics } = await setUp(t);
    const bounce = { class: 'soft', category: 'greylisted' } as const;
    const unsent = event({ type: 'soft_bounce', reply: REPLY, bounce });
    const events = [event({}), unsent, event({ type: 'complaint' }), event({ possible_duplicate: true })];
    metrics.onCommit({ ms: 1, events: events.map((one) => ({ ...one, test: true })) });
    const text = await metrics.registry.metrics();
    for (const name of ['attempts', 'isp_attempts', 'bounces', 'reports'])
      assert.doesNotMatch(text, new RegExp(`^postrider_${name}_total\\{`, 'm'));
    assert.match(text, /^postrider_possible_duplicates_total 0$/m);
  });

  test('how long deliveries took is a histogram by ISP and one by node', async (t) => {
    const { metrics } = await setUp(t);
    const after = (seconds: number): EventDraft => event({ queue_ms: seconds * 1000 });
    const refused = event({ type: 'soft_bounce', reply: REPLY, queue_ms: 1_000 });
    metrics.onCommit({ ms: 1, events: [after(0.5), after(10), after(11), after(90_000), refused] });
    metrics.onCommit({ ms: 1, events: [event({ isp: 'yahoo', queue_ms: 2_000 })] });
    metrics.onCommit({ ms: 1, events: [event({ isp: 'yahoo', node: 'n2', queue_ms: 3_000 })] });
    const text = await metrics.registry.metrics();
    assert.match(text, /^# TYPE postrider_delivery_seconds histogram$/m);
    for (const line of [
      '_bucket{isp="gmail",le="1"} 1',
      '_bucket{isp="gmail",le="10"} 2',
      '_bucket{isp="gmail",le="60"} 3',
      '_bucket{isp="gmail",le="43200"} 3',
      '_bucket{isp="gmail",le="+Inf"} 4',
      '_sum{isp="gmail"} 90021.5',
      '_count{isp="gmail"} 4',
    ])
      assert.ok(text.includes(`\npostrider_delivery_seconds${line}\n`), line);
    assert.match(text, /^# TYPE postrider_node_delivery_seconds histogram$/m);
    for (const line of [
      '_bucket{node="n1",le="1"} 1',
      '_bucket{node="n1",le="10"} 3',
      '_bucket{node="n1",le="60"} 4',
      '_bucket{node="n1",le="+Inf"} 5',
      '_sum{node="n1"} 90023.5',
      '_count{node="n1"} 5',
      '_count{node="n2"} 1',
    ])
      assert.ok(text.includes(`\npostrider_node_delivery_seconds${line}\n`), line);
  });

  test('no number of ISPs makes more than 300 labels', async (t) => {
    const { metrics } = await setUp(t);
    const events = Array.from({ length: 1000 }, (_, i) => event({ isp: `isp${i}` }));
    metrics.onCommit({ ms: 1, events: [...events, event({ isp: undefined })] });
    const text = await metrics.registry.metrics();
    const attempts = text.split('\n').filter((line) => line.startsWith('postrider_attempts_total{'));
    assert.equal(attempts.length, 302);
    assert.ok(text.includes('postrider_attempts_total{isp="other",node="n1",outcome="delivered"} 700\n'));
    assert.ok(text.includes('postrider_attempts_total{isp="unresolved",node="n1",outcome="delivered"} 1\n'));
  });

  test('of more pairs of node and ISP than have lines, none with a session is lost in the sum', async (t) => {
    const { metrics } = await setUp(t, new LargeEgress());
    const text = await metrics.registry.metrics();
    const lines = [...text.matchAll(/^postrider_lane_sessions\{node="n\d+",isp="(.*)"\} (\d+)$/gm)];
    assert.equal(lines.length, 750 + 100);
    const named = lines.filter(([, isp]) => isp !== 'other');
    assert.ok(
      named.every(([, , sessions]) => sessions === '1'),
      'those with sessions have the lines',
    );
    assert.equal(
      lines.reduce((sum, [, , sessions]) => sum + Number(sessions), 0),
      100 * 30,
    );
  });

  test('a large scrape leaves the event loop to others', async (t) => {
    const { metrics } = await setUp(t, new LargeEgress());
    let turns = 0;
    let scraping = true;
    const turn = (): void => {
      turns++;
      if (scraping) setImmediate(turn);
    };
    setImmediate(turn);
    await metrics.registry.metrics();
    scraping = false;
    assert.ok(turns > 10, `${turns} turns`);
  });

  test('labels are escaped as the text format wants it, and no limit is +Inf', async (t) => {
    const { metrics } = await setUp(t);
    const isp = 'a"b\\c\nd';
    metrics.onCommit({ ms: 1, events: [event({ isp })] });
    const text = await metrics.registry.metrics();
    assert.match(text, /^postrider_isp_attempts_total\{isp="a\\"b\\\\c\\nd",outcome="delivered"\} 1$/m);
    assert.match(text, /^postrider_disk_free_bytes \+Inf$/m);
    assert.equal(text.match(/^# TYPE postrider_isp_attempts_total counter$/gm)?.length, 1);
  });

  test('the oldest delivery of each ISP, as a sweep found it', async (t) => {
    const { metrics, clock } = await setUp(t);
    const now = clock.now();
    await metrics.onSweep(
      new Map([
        ['gmail.com', now - 5_000],
        ['a.test', now - 1_000],
        ['b.test', now - 9_000],
      ]),
      new Slices(),
    );
    const text = await metrics.registry.metrics();
    assert.ok(text.includes('postrider_isp_oldest_seconds{isp="gmail"} 5\n'));
    assert.ok(text.includes('postrider_isp_oldest_seconds{isp="unresolved"} 9\n'));
    await metrics.onSweep(new Map(), new Slices());
    assert.ok(!(await metrics.registry.metrics()).includes('postrider_isp_oldest_seconds{'));
  });
});

/** Goes on after the first piece when it is told to. */
class HeldSlices extends Slices {
  readonly goOn = Promise.withResolvers<void>();

  override async each<T>(pieces: Iterable<T>, work: (piece: T) => void): Promise<void> {
    for (const piece of pieces) {
      work(piece);
      await this.goOn.promise;
    }
  }
}

test('what a sweep found is looked through in slices; until then the figures are those of the sweep before', async (t) => {
  const { metrics, clock } = await setUp(t);
  const now = clock.now();
  const told = async (): Promise<string[]> =>
    (await metrics.registry.metrics()).match(/^postrider_isp_oldest_seconds\{.*$/gm) ?? [];
  await metrics.onSweep(new Map([['gmail.com', now - 5_000]]), new Slices());
  const slices = new HeldSlices();
  const found = new Map(['a.test', 'b.test'].map((domain, i) => [domain, now - 1_000 * (i + 1)]));
  const looked = metrics.onSweep(found, slices);
  assert.deepEqual(await told(), ['postrider_isp_oldest_seconds{isp="gmail"} 5']);
  slices.goOn.resolve();
  await looked;
  assert.deepEqual(await told(), ['postrider_isp_oldest_seconds{isp="unresolved"} 2']);
});

describe('queue counts', () => {
  const cases = [
    [
      { new: 5, retry: 2, proc: 0 },
      { new: 5, retry: 2, proc: 0, total: 7 },
    ],
    [
      { new: 5, retry: 2, proc: 3 },
      { new: 2, retry: 2, proc: 3, total: 7 },
    ],
    [
      { new: 5, retry: 2, proc: 6 },
      { new: 0, retry: 1, proc: 6, total: 7 },
    ],
    [
      { new: 1, retry: 0, proc: 3 },
      { new: 0, retry: 0, proc: 1, total: 1 },
    ],
  ] as const;
  for (const [row, expected] of cases) {
    test(`${row.proc} leased of ${row.new} new and ${row.retry} retry`, () => {
      const counts = noCounts();
      addRow(counts, row);
      assert.deepEqual(counts, { hold: 0, ...expected });
      assert.equal(counts.new + counts.proc + counts.retry + counts.hold, counts.total);
    });
  }
});
