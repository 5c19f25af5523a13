/** What the speed table says is what the limits allow: per node, in sum, by the settings and now. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EgressContext } from '../../../src/mta/egress/context.ts';
import { type SpeedFilter, type SpeedRow, speedTable } from '../../../src/mta/egress/speed-table.ts';
import type { LaneStatus, NodeStatus } from '../../../src/mta/egress/status.ts';
import { createFakeClock } from '../../support/fake-clock.ts';
import { configured, type Settings } from './configured.ts';

const SETTINGS: Settings = {
  nodes: [
    { name: 'n1', address: '192.0.2.1', hostname: 'n1.test' },
    { name: 'n2', address: '192.0.2.2', hostname: 'n2.test', strategies: { default: 'slow' } },
    { name: 'off', address: '192.0.2.3', hostname: 'n3.test', enabled: false },
    { name: 'n4', address: '192.0.2.4', hostname: 'n4.test' },
  ],
  strategies: [
    { name: 'fast', rate: '600/1m', daily_limit: 100_000 },
    { name: 'slow', rate: '30/1h' },
    { name: 'free', rate: null },
  ],
  senders: [
    {
      name: 'shop',
      nodes: [{ node: 'n1' }, { node: 'n2' }, { node: 'off' }],
      strategies: { default: 'fast' },
    },
    { name: 'news', nodes: [{ node: 'n4' }], strategies: { default: 'free' } },
  ],
};

interface World {
  readonly settings?: Settings;
  readonly down?: string;
  readonly marks?: Readonly<Record<string, unknown>>;
  readonly lanes?: readonly Partial<LaneStatus>[];
}

function table(filter: SpeedFilter, { settings = {}, down, marks = {}, lanes = [] }: World = {}): SpeedRow[] {
  const config = configured({ ...SETTINGS, ...settings });
  const context = {
    settings: { config },
    clock: createFakeClock(),
    queue: { limitMark: (key: string) => marks[key] },
    locks: { of: () => [] },
  } as unknown as EgressContext;
  const statuses = config.nodes.map(({ name }) => ({
    ...{ name, state: name === down ? 'down' : 'running' },
    lanes: name === 'n1' ? lanes : [],
  })) as unknown as NodeStatus[];
  return speedTable(context, statuses, filter);
}
const figures = (rows: readonly SpeedRow[], of: 'allowed' | 'now'): unknown[] =>
  rows.map(({ node, [of]: { perMinute, perHour, perDay } }) => [node, perMinute, perHour, perDay]);
const GMAIL = { sender: 'shop', isp: 'gmail' };
const ALLOWED = [
  ['n1', 600, 36_000, 100_000],
  ['n2', 0.5, 30, 720],
  [undefined, 600.5, 36_030, 100_720],
];

test('each node by its strategy and daily limit, and the sum; a node that is off is not in it', () => {
  const rows = table(GMAIL);
  assert.deepEqual(figures(rows, 'allowed'), ALLOWED);
  assert.deepEqual(figures(rows, 'now'), ALLOWED);
  assert.deepEqual(
    rows.map(({ strategy, because }) => [strategy, because]),
    [
      ['fast', []],
      ['slow', []],
      [undefined, []],
    ],
  );
});

test('no limit on one node is no limit in sum', () => {
  assert.deepEqual(figures(table({ sender: 'news', isp: 'other' }), 'allowed'), [
    ['n4', undefined, undefined, undefined],
    [undefined, undefined, undefined, undefined],
  ]);
});

test('what is asked for: all ISPs and domains of none, or one node alone', () => {
  const isps = new Set(table({ sender: 'shop' }).map(({ isp }) => isp));
  assert.ok(isps.size > 10 && isps.has('gmail') && isps.has('other'));
  assert.deepEqual(figures(table({ ...GMAIL, node: 'n2' }), 'allowed'), [ALLOWED[1]]);
  assert.deepEqual(table({ sender: 'nobody' }), []);
});

test('a cap holds for each node and once for the sum', () => {
  const caps = [{ name: 'shared', isp: 'gmail', rate: '100/1m' }];
  assert.deepEqual(figures(table(GMAIL, { settings: { caps } }), 'allowed'), [
    ['n1', 100, 6_000, 100_000],
    ['n2', 0.5, 30, 720],
    [undefined, 100, 6_000, 100_720],
  ]);
});

test('a node that is down sends nothing, and its part is missing in the sum', () => {
  const rows = table(GMAIL, { down: 'n1' });
  assert.deepEqual(figures(rows, 'allowed'), ALLOWED);
  assert.deepEqual(figures(rows, 'now'), [['n1', 0, 0, 0], ALLOWED[1], [undefined, 0.5, 30, 720]]);
  assert.deepEqual(rows.at(-1)!.because, ['node n1 is down']);
});

const SLOWED = { known: 1, reason: '', changedAt: 0, cutAt: 0, holdMs: 0, failed: 0, wallMs: 0 };
const slowed = { ...SLOWED, perSecond: 1, cutReason: '40 % rate_limited' };
const LOWERED = ['n1', 60, 3_600, 86_400];

test('a lowered speed counts now, while mail flows and as it was stored', () => {
  const running = table(GMAIL, { lanes: [{ key: 'isp:gmail', slowed }] });
  const stored = table(GMAIL, { marks: { 'n1\0isp:gmail': { slowed } } });
  for (const rows of [running, stored]) {
    assert.deepEqual(figures(rows, 'allowed'), ALLOWED);
    assert.deepEqual(figures(rows, 'now')[0], LOWERED);
    assert.deepEqual(rows[0]!.because, ['slowed down below strategy fast: 40 % rate_limited']);
  }
});

test('the stage of a warm-up counts, also before the first mail', () => {
  const warmup_plans = [{ name: 'new', stages: [50, 200, 1000] }];
  const nodes = [
    { name: 'n1', address: '192.0.2.1', hostname: 'n1.test', warmup: 'new' },
    ...(SETTINGS['nodes'] as object[]).slice(1),
  ];
  const settings = { warmup_plans, nodes };
  const stage = { stage: 1, day: '', delivered: 0, hard: 0, blocked: 0, pausedUntil: 0, reason: '' };
  assert.deepEqual(figures(table(GMAIL, { settings }), 'now')[0], ['n1', 50, 50, 50]);
  const later = table(GMAIL, {
    settings,
    marks: { 'n1\0isp:gmail': { warmup: { ...stage, cap: undefined } } },
  });
  assert.deepEqual(figures(later, 'now')[0], ['n1', 200, 200, 200]);
  assert.deepEqual(later[0]!.because, ['warm-up new, stage 2 of 3']);
});
