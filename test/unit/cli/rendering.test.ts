import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { DeliveryView, MessageView, QueueReport } from '../../../src/api/index.ts';
import { eventLine } from '../../../src/cli/event-line.ts';
import { eventsPath } from '../../../src/cli/events.ts';
import { folded } from '../../../src/cli/fold.ts';
import { clean, shortClock } from '../../../src/cli/io.ts';
import { speedsText } from '../../../src/cli/node-speeds.ts';
import { nodesText } from '../../../src/cli/node.ts';
import { queueText } from '../../../src/cli/queue.ts';
import { reloadText } from '../../../src/cli/reload.ts';
import { deliveryStory, messageStory } from '../../../src/cli/story.ts';
import { renderTable } from '../../../src/cli/table.ts';
import { topText, type TopView } from '../../../src/cli/top.ts';
import { createPaper } from './paper.ts';
import { STATUS } from './status-view.ts';

const AT = '2026-01-01T00:00:00.000Z';
const PLAIN = createPaper();
const REPLY = { code: 451, enhanced: '4.7.1', text: 'greylisted', phase: 'rcpt' } as const;
const COUNTS = { new: 1, proc: 2, retry: 3, hold: 0, total: 6 };

describe('tables', () => {
  const columns = [{ title: 'name' }, { title: 'count', align: 'right' }] as const;
  const rows = [
    ['a long name that goes on and on', 7],
    ['b', 12],
    ['c', undefined],
  ];

  test('plain columns without a terminal', () => {
    assert.equal(
      renderTable(columns, rows, { columns: undefined }),
      [
        'name                             count',
        'a long name that goes on and on      7',
        'b                                   12',
        'c                                    -',
        '',
      ].join('\n'),
    );
  });

  test('a box where it fits, else plain columns no wider than the terminal', () => {
    assert.match(renderTable(columns, rows, { columns: 80 }), /^┌/);
    for (const width of [20, 30, 40]) {
      const lines = renderTable(columns, rows, { columns: width }).trimEnd().split('\n');
      for (const line of lines) assert.ok(line.length <= width, `${line.length} > ${width}`);
    }
    assert.match(renderTable(columns, rows, { columns: 30 }), /^a long .*… +7$/m);
  });

  test('figures, and what is to stay whole, are never cut, however narrow the terminal is', () => {
    const kept = [
      { title: 'name' },
      { title: 'id', whole: true },
      { title: 'count', align: 'right' },
    ] as const;
    for (const width of [10, 20, 30]) {
      const wide = renderTable(kept, [['a long name', '0sbq9n6zm00.2', 1_234_567_890_123]], {
        columns: width,
      });
      assert.match(wide, / 0sbq9n6zm00\.2 .* ?1234567890123$/m);
      assert.match(wide, / count$/m);
    }
  });

  test('a reason that does not fit stands beneath its row, and its column goes when all do', () => {
    const reasons = [
      { title: 'id', whole: true },
      { title: 'because', beneath: true },
    ] as const;
    const long = '451 4.3.2 our storage is being moved';
    const drawn = (...texts: (string | undefined)[]): string[] =>
      renderTable(
        reasons,
        texts.map((text, i) => [`delivery${i}`, text]),
        { columns: 24 },
      )
        .trimEnd()
        .split('\n');
    assert.deepEqual(drawn(long, 'done', undefined), [
      'id         because',
      'delivery0',
      `  ${long}`,
      'delivery1  done',
      'delivery2  -',
    ]);
    assert.deepEqual(drawn(long, undefined), ['id', 'delivery0', `  ${long}`, 'delivery1']);
    assert.match(
      renderTable(reasons, [['d', long]], { columns: undefined }),
      /^d {3}451 4\.3\.2 our storage is being moved$/m,
    );
  });

  test('times are short in a terminal: within a day the time, else the day', () => {
    const now = (): number => Date.parse('2026-01-02T00:00:00Z');
    const at = '2026-01-01T23:59:58.000Z';
    assert.equal(shortClock({ columns: 80, now }, at), '23:59:58Z');
    assert.equal(shortClock({ columns: 80, now }, '2026-01-02T00:10:00.000Z'), '00:10:00Z');
    for (const day of ['2025-12-31', '2026-01-03'])
      assert.equal(shortClock({ columns: 80, now }, `${day}T00:00:00.000Z`), day);
    assert.equal(shortClock({ columns: undefined, now }, at), '2026-01-01 23:59:58Z');
  });

  test('texts of strangers do not steer the terminal', () => {
    assert.equal(clean('a\x1b[31mb\r\n\u202ec\x9b'), 'a?[31mb???c?');
    assert.ok(!renderTable(columns, [['\x1b[2J', 1]], { columns: undefined }).includes('\x1b'));
  });
});

describe('events', () => {
  test('one readable line', () => {
    const event = {
      seq: 17,
      id: 'x-17',
      type: 'soft_bounce',
      time: AT,
      recipient: 'u@a.test',
      node: 'n1',
      mx: 'mx.a.test',
      reply: REPLY,
      next_attempt: '2026-01-01T00:10:00.000Z',
      delivery_id: '0123456789a.1',
      campaign_id: 'c1',
    } as const;
    assert.equal(
      eventLine(PLAIN, event),
      '17  2026-01-01 00:00:00Z  soft_bounce  u@a.test  n1 -> mx.a.test  451 4.7.1 greylisted (rcpt)  next 2026-01-01 00:10:00Z  0123456789a.1 c1',
    );
    const bare = eventLine(
      { ...PLAIN, colour: true },
      { seq: 1, id: 'x-1', type: 'alert', time: AT, reason: 'a\x1bb' },
    );
    assert.equal(bare, '1  2026-01-01 00:00:00Z  \x1b[31malert      \x1b[39m  a?b');
    const moved = eventLine(PLAIN, {
      seq: 2,
      id: 'x-2',
      type: 'moved',
      time: AT,
      node: 'n1',
      next_node: 'n2',
    });
    assert.equal(moved, '2  2026-01-01 00:00:00Z  moved        n1  to node n2');
  });

  test('the options become the query', () => {
    assert.equal(eventsPath({}), '/v1/events?after=-20');
    assert.equal(
      eventsPath({ follow: true, after: '5', type: 'a,b', campaign: 'c 1', delivery: 'd', limit: '3' }),
      '/v1/events?after=5&follow=true&type=a%2Cb&campaign_id=c+1&delivery_id=d&limit=3',
    );
  });
});

describe('stories', () => {
  const delivery: DeliveryView = {
    id: '0123456789a.1',
    message_id: '0123456789a',
    recipient: 'u@a.test',
    state: 'retry',
    labels: { band: 'standard', campaign_id: 'c1' },
    node: 'n1',
    sender: 'main',
    isp: 'gmail',
    accepted_at: AT,
    attempts: [{ at: AT, node: 'n1', mx: 'mx.a.test', outcome: 'soft_bounce', reply: REPLY }],
    next_attempt: '2026-01-01T00:11:00.000Z',
    expires: '2026-01-02T00:00:00.000Z',
    why_waiting: 'the interval of the retry rule is not over',
  };

  test('of a delivery that waits', () => {
    assert.equal(
      deliveryStory(PLAIN, delivery),
      [
        'u@a.test  0123456789a.1  retry',
        '  2026-01-01 00:00:00Z  accepted for sender main, node n1, ISP gmail',
        '  2026-01-01 00:00:00Z  attempt 1 from n1 to mx.a.test: soft_bounce, 451 4.7.1 greylisted (rcpt)',
        '  next attempt 2026-01-01 00:11:00Z, in 10m: the interval of the retry rule is not over',
        '  given up at 2026-01-02 00:00:00Z',
        '',
      ].join('\n'),
    );
  });

  test('of one that is due, one with a session, one that ended', () => {
    const story = (changes: Partial<DeliveryView>): string =>
      deliveryStory(PLAIN, { ...delivery, ...changes });
    assert.match(
      story({ next_attempt: AT, why_waiting: 'the rate is used up' }),
      /due since .*: the rate is used up/,
    );
    assert.match(story({ state: 'proc', next_attempt: undefined }), /a session has it now/);
    assert.match(
      story({
        state: 'hold',
        next_attempt: undefined,
        why_waiting: 'held since 2025-12-31T22:00:00.000Z by ann (hold 3: all=true)',
      }),
      /\n {2}held since 2025-12-31 22:00:00Z, 2h1m by ann \(hold 3: all=true\)\n {2}given up at/,
    );
    const ended = story({ state: 'undelivered', final: { type: 'undelivered', reason: 'lifetime', at: AT } });
    assert.match(ended, /undelivered \(lifetime\)/);
    assert.match(ended, /its lifetime was over/);
    assert.ok(!ended.includes('given up at'));
    assert.match(story({ possible_duplicate: true }), /it may come twice/);
  });

  test('of a message', () => {
    const message: MessageView = {
      message_id: '0123456789a',
      from: 'news@a.test',
      bytes: 2048,
      kind: 'raw',
      labels: delivery.labels,
      accepted_at: AT,
      content_kept: true,
      deliveries: [delivery, delivery],
      more: true,
    };
    const text = messageStory(PLAIN, message);
    assert.match(
      text,
      /^message 0123456789a\n {2}from <news@a.test>, 2KB, accepted 2026-01-01 00:00:00Z\n {2}campaign c1, band standard\n/,
    );
    assert.equal(text.match(/attempt 1/g)?.length, 2);
    assert.match(text, /\nand more\n$/);
  });
});

describe('overviews', () => {
  test('top and status say the whole of an alert, whatever the width', () => {
    const text =
      '75 deliveries to greymail wait and none was taken for 2h: 451 Greylisted, please try again in a while';
    const alerts = [{ name: 'stuck_mail', isp: 'greymail', since: AT, text }];
    const queue = { rows: [], more_rows: 0, totals: { ...COUNTS, quarantined: 0 }, marks: [] };
    const view = { status: { ...STATUS, alerts }, nodes: [], queue, campaigns: queue } as unknown as TopView;
    for (const columns of [40, 80, 120]) {
      const drawn = folded(topText({ ...PLAIN, columns }, view, 0), columns);
      for (const line of drawn.split('\n')) assert.ok(line.length <= columns, line);
      assert.ok(drawn.replaceAll(/\s+/g, ' ').includes(text), drawn);
    }
  });

  test('top says some alerts, and how many more status says', () => {
    const alerts = [1, 2, 3, 4, 5].map((n) => ({ name: 'stuck_mail', since: AT, text: `mail ${n} waits` }));
    const queue = { rows: [], more_rows: 0, totals: { ...COUNTS, quarantined: 0 }, marks: [] };
    const drawn = (some: readonly object[]): string => {
      const view = { status: { ...STATUS, alerts: some }, nodes: [], queue, campaigns: queue };
      return topText({ ...PLAIN, columns: 80 }, view as unknown as TopView, 0);
    };
    assert.match(drawn(alerts), /mail 2 waits.*\nand 3 more: postrider status\n/);
    assert.doesNotMatch(drawn(alerts), /mail 3 waits/);
    assert.doesNotMatch(drawn(alerts.slice(0, 2)), /more: postrider status/);
  });

  test('the queue with its sum', () => {
    const report: QueueReport = {
      rows: [
        {
          isp: 'gmail',
          node: 'n1',
          ...COUNTS,
          oldest_seconds: 61,
          per_second: 0.25,
          estimated_end: new Date(PLAIN.now() + 3_660_000).toISOString(),
        },
        { isp: 'aol', node: 'n1', ...COUNTS, per_second: 0 },
      ],
      more_rows: 4,
      totals: { ...COUNTS, quarantined: 0, oldest_seconds: 61 },
      marks: [
        {
          job: '3',
          mark: 'hold',
          at: '2025-12-31T22:00:00.000Z',
          by: 'ann',
          selector: { campaign_id: 'spring' },
        },
      ],
    };
    assert.equal(
      queueText(PLAIN, ['isp', 'node'], report),
      [
        'isp    node  new  proc  retry  hold  total  oldest    /s  ends in',
        'gmail  n1      1     2      3     0      6    1m1s  0.25     1h1m',
        'aol    n1      1     2      3     0      6       -     0        -',
        'all            1     2      3     0      6',
        '4 more rows: see --limit',
        'oldest delivery: 1m1s',
        'hold since 2025-12-31 22:00:00Z, 2h1m by ann: campaign_id=spring',
        '',
      ].join('\n'),
    );
    const empty = { ...COUNTS, total: 0, quarantined: 0, oldest_seconds: undefined };
    assert.equal(
      queueText(PLAIN, ['isp'], { rows: [], more_rows: 0, totals: empty, marks: [] }),
      'the queue is empty\n',
    );
  });

  test('nodes with their lanes', () => {
    const lane = {
      isp: 'gmail',
      key: 'gmail',
      strategy: '60:60',
      sessions: 1,
      max_sessions: 2,
      rate_per_second: 0.5,
      in_flight: 3,
      queues: 1,
      waiting: 'the rate is used up',
    };
    const node = {
      name: 'n1',
      address: '192.0.2.1',
      hostname: 'mx1.a.test',
      state: 'running',
      sessions: 1,
      max_sessions: 10,
      attempts: 5,
      delivered: 4,
      last_error: { at: AT, text: 'refused' },
      locks: [],
      lanes: [
        lane,
        { ...lane, isp: 'other', key: 'mx:mx.b.test', rate_per_second: null, waiting: undefined },
      ],
    };
    const text = nodesText(PLAIN, [node]);
    assert.match(text, /n1 +192\.0\.2\.1 +mx1\.a\.test +running +1\/10 +5 +4\n/);
    assert.match(text, /n1 +gmail +60:60 +1\/2 +30\/min +3 +the rate is used up\n/);
    assert.match(text, /n1 +mx:mx\.b\.test +60:60 +1\/2 +no limit +3\n/);
    assert.match(text, /n1: last error 2026-01-01 00:00:00Z: refused\n$/);
    const warmup = {
      ...{ plan: 'new-ip', stage: 2, stages: 5, daily_cap: 500, day: '2026-01-01', delivered: 300 },
      ...{ hard_bounces: 0, blocks: 0, reason: 'warm-up stage 2 of 5: 500 a day' },
    };
    const reason = 'warm-up paused: 6.0 % blocks of 50, the last one: 554 no';
    for (const [more, said] of [
      [{}, 'new-ip, stage 2 of 5: 300 of 500 delivered on 2026-01-01'],
      [{ day: '' }, 'new-ip, stage 2 of 5: 500 a day, none delivered yet'],
      [
        { reason, paused_until: AT },
        'new-ip, stage 2 of 5, paused until 2026-01-01 00:00:00Z: 6.0 % blocks of 50, the last one: 554 no',
      ],
    ] as const) {
      const warms = { ...node, lanes: [{ ...lane, warmup: { ...warmup, ...more } }] };
      assert.ok(nodesText(PLAIN, [warms]).endsWith(`\nn1 towards gmail: warm-up ${said}\n`), said);
    }
    const drains = { ...node, state: 'draining', state_since: AT };
    assert.match(nodesText(PLAIN, [drains]), / draining +1\/10 +5 +4 +since 2026-01-01 00:00:00Z\n/);
    assert.match(
      nodesText({ ...PLAIN, columns: 80 }, [drains]),
      /^n1 +192\.0\.2\.1 +mx1\.a\.test +draining +1\/10 +5 +4\n {2}since 00:00:00Z\n/m,
    );
    assert.match(nodesText({ ...PLAIN, columns: 150 }, [drains, node]), / 4 │ since 00:00:00Z │\n/);
  });

  test('speeds: ISPs with the same figures share their lines', () => {
    const allowed = { per_minute: 0.5, per_hour: 30, per_day: 720 };
    const none = { per_minute: null, per_hour: null, per_day: null };
    const row = { sender: 'shop', strategy: 'slow', allowed, now: allowed, because: [] };
    const rows = ['aol', 'gmail', 'yahoo'].map((isp) => ({ ...row, isp, node: 'n1', address: '192.0.2.1' }));
    const lowered = {
      ...row,
      isp: 'other',
      node: 'n1',
      now: { ...allowed, per_day: 48 },
      because: ['a lock'],
    };
    const sum = { ...row, isp: 'other', strategy: undefined, allowed: none, now: none };
    const lines = speedsText(PLAIN, [...rows, lowered, sum]).split('\n');
    assert.match(lines[1]!, /^shop +aol, gmail and 1 more +n1 +slow +0\.5 +30 +720$/);
    assert.match(lines[2]!, /^shop +other +n1 +slow +0\.5 +30 +720 +48$/);
    assert.match(lines[3]!, /^shop +other +all nodes +several +no limit +no limit +no limit$/);
    assert.deepEqual(lines.slice(4), ['', 'n1 towards other: a lock', '']);
  });

  test('a reload', () => {
    assert.equal(reloadText(PLAIN, { changed: [], needs_restart: [] }), 'reloaded: nothing has changed\n');
    assert.equal(
      reloadText(PLAIN, { changed: ['nodes[n1]', 'workers'], needs_restart: ['workers'] }),
      'reloaded, changed:\n  nodes[n1]\n  workers  after a restart\n',
    );
  });
});
