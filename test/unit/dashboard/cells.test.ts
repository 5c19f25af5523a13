/** What a cell of the grid says of itself, and to whom. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Slices } from '../../../src/api/index.ts';
import { cellsOf } from '../../../src/dashboard/cells.ts';
import { laterWarmup, LockBook } from '../../../src/dashboard/locks.ts';
import { PairMap } from '../../../src/dashboard/pair-map.ts';
import { Observer } from '../../../src/dashboard/observer.ts';
import { Speech } from '../../../src/dashboard/page/language.ts';
import { lockText, warmupText } from '../../../src/dashboard/page/lock-text.ts';
import type { CellView, LockLine } from '../../../src/dashboard/view.ts';
import type {
  EgressView,
  LaneStatus,
  Lock,
  LockRecord,
  NodeFigures,
  NodeStatus,
} from '../../../src/mta/egress/index.ts';

const NOW = Date.UTC(2026, 0, 1);
const SAID = 'blocked, see our list';

const lane = (more: Partial<LaneStatus> = {}): LaneStatus => ({
  isp: 'strict',
  key: 'isp:strict',
  strategy: 'fast',
  sessions: 0,
  maxSessions: 5,
  ratePerSecond: 10,
  slowed: undefined,
  warmup: undefined,
  inFlight: 0,
  queues: 1,
  waiting: undefined,
  lastError: undefined,
  ...more,
});

const lockOf = (record: Partial<LockRecord>): Lock =>
  ({
    record: { scope: 'node_isp', since: NOW, level: 0, waiting: 'wait', reason: 'by an operator', ...record },
  }) as Lock;

interface Case {
  readonly isp?: string;
  readonly lane?: Partial<LaneStatus>;
  readonly lanes?: number;
  readonly lock?: Partial<LockRecord>;
  readonly state?: NodeStatus['state'];
  readonly hold?: number;
  readonly retry?: number;
  readonly full?: boolean;
  /** Attempts of the last minutes. */
  readonly delivered?: number;
  readonly refused?: number;
  /** What its campaign waits for, and what else the mail does. */
  readonly ofCampaign?: string;
  readonly ofMail?: string;
}

async function cell({
  isp = 'strict',
  lane: ofLane = {},
  lanes = 1,
  lock,
  state = 'running',
  hold = 0,
  retry = 0,
  full = false,
  delivered = 0,
  refused = 0,
  ofCampaign,
  ofMail = ofCampaign,
}: Case): Promise<CellView> {
  const observer = new Observer();
  for (let i = 0; i < delivered + refused; i++)
    observer.add({ type: i < delivered ? 'delivered' : 'soft_bounce', time: NOW, node: 'n1', isp });
  const node = { name: 'n1', state } as NodeFigures;
  const counts = {
    node: 'n1',
    isp,
    new: 10 - hold - retry,
    proc: 0,
    retry,
    hold,
    total: 10,
    oldest: NOW - 90_000,
    first: { account: 'acme', campaign: 'spring', sender: 'shop', node: 'n1', domain: 'strict.test' },
  };
  const ofCell = new PairMap<typeof counts>();
  ofCell.entry('n1', isp, () => counts);
  const cells = await cellsOf(
    {
      observer,
      egress: {
        lanes: () => Array.from({ length: lanes }, () => lane(ofLane)),
        whyWaiting: (_node, domain, of) => ofMail && `${domain} of ${of?.campaign}: ${ofMail}`,
        campaigns: { of: () => ({ waiting: () => ofCampaign }) } as unknown as EgressView['campaigns'],
      },
      nodes: [node],
      counts: ofCell,
      locks: new LockBook(lock ? [lockOf(lock)] : []),
      now: NOW,
    },
    new Slices(),
  );
  const [only] = cells.all.values();
  return cells.view(only!, full);
}

describe('a cell of the grid', () => {
  test('tells the age of its oldest delivery', async () => {
    assert.equal((await cell({})).oldestSeconds, 90);
  });

  test('repeats no receiver before the sign-in, whatever the lane waits for', async () => {
    const reply = { code: 554, text: SAID, phase: 'rcpt' } as const;
    const locked = { node: 'n1', isp: 'strict', rule: 'blocks', until: NOW + 60_000, reply };
    const slowed = { perSecond: 1, cutAt: NOW, cutReason: SAID } as LaneStatus['slowed'];
    const cases: Case[] = [
      { lock: locked, lane: { waiting: `locked by rule blocks: 554 ${SAID}` } },
      { lane: { slowed, waiting: `slowed down (${SAID})` } },
      { lane: { lastError: { at: NOW, text: SAID } } },
    ];
    for (const one of cases) {
      assert.doesNotMatch(JSON.stringify(await cell(one)), /blocked/);
      assert.match(JSON.stringify(await cell({ ...one, full: true })), /blocked/);
    }
    assert.equal((await cell({ lock: locked })).lock?.until, NOW + 60_000, 'the lock itself is told');
  });

  test('says what its oldest mail waits for when its lane waits for nothing, and no domain before the sign-in', async () => {
    const limit = 'limit of the campaign: 30 per 60 s';
    assert.equal((await cell({ ofCampaign: limit, full: true })).waiting, `strict.test of spring: ${limit}`);
    assert.equal((await cell({ ofCampaign: limit })).waiting, limit);
    assert.equal((await cell({ ofMail: 'looking up where it goes' })).waiting, undefined);
    const lane = { waiting: 'strategy fast: next message in 9 s' };
    assert.equal((await cell({ ofCampaign: limit, lane, full: true })).waiting, lane.waiting);
  });

  test('is stuck where a limit of the campaign lets nothing go, and not while something goes', async () => {
    const ofCampaign = 'limit of the campaign: 100 per start are used up; the rest waits for its next start';
    assert.equal((await cell({ ofCampaign })).health, 'stuck');
    assert.equal((await cell({ ofCampaign, delivered: 1 })).health, 'good');
    assert.equal((await cell({ ofCampaign, hold: 10 })).health, 'good');
  });

  test('names a limit where it has one receiver, none that has no limit, and nothing where none is known', async () => {
    assert.equal((await cell({})).ratePerSecond, 10);
    assert.equal((await cell({ lane: { ratePerSecond: undefined } })).ratePerSecond, null);
    assert.equal((await cell({ lanes: 0 })).ratePerSecond, undefined);
    assert.equal((await cell({ lanes: 2 })).ratePerSecond, undefined);
  });

  test('a lock of the node, of the ISP and of the cell stop it; one elsewhere does not', async () => {
    for (const lock of [{ node: 'n1' }, { isp: 'strict' }, { node: 'n1', isp: 'strict' }])
      assert.equal((await cell({ lock })).health, 'stuck', JSON.stringify(lock));
    for (const lock of [{ node: 'n2' }, { node: 'n1', isp: 'other' }, { isp: 'strict', sender: 'shop' }])
      assert.equal((await cell({ lock })).health, 'good', JSON.stringify(lock));
  });

  test('a lock of some hosts of no ISP is named as such, and stops the cell only when nothing else goes', async () => {
    const [other, lock] = [{ isp: 'other' }, { node: 'n1', isp: 'other', lane: 'mx:mx.a.test' }];
    for (const [key, delivered, health] of [
      ['mx:mx.a.test', 5, 'stuck'],
      ['mx:mx.b.test', 5, 'slow'],
      ['mx:mx.b.test', 0, 'stuck'],
    ] as const) {
      const shown = await cell({ isp: 'other', lane: { ...other, key }, lock, delivered, full: true });
      assert.deepEqual(
        [shown.health, shown.lock?.part?.lane],
        [health, 'mx:mx.a.test'],
        `${key} ${delivered}`,
      );
    }
    const before = await cell({ isp: 'other', lane: { ...other, key: 'mx:mx.a.test' }, lock });
    assert.deepEqual(before.lock?.part, {}, 'no hosts before the sign-in');
    const text = (line: LockLine): string => lockText(new Speech('en'), line, NOW);
    assert.match(
      text({ since: NOW, part: { lane: 'mx:mx.a.test' } }),
      /^mx:mx\.a\.test: locked until lifted, /,
    );
    assert.match(text(before.lock), /^in part: locked until lifted, by an operator, since /);
  });

  test('a warm-up says how far it is, that nothing was delivered yet, or until when it is paused', async () => {
    const of = { plan: 'p', stage: 1, stages: 5, dailyCap: 500, hard: 0, blocked: 0, reason: '' };
    const said = async (more: object): Promise<string> => {
      const warmup = { ...of, day: '2026-01-01', delivered: 300, pausedUntil: 0, ...more };
      return warmupText(new Speech('en'), (await cell({ lane: { warmup } })).warmup!);
    };
    assert.equal(await said({}), 'strict: stage 2 of 5; 300 of 500 on 2026-01-01');
    assert.equal(
      await said({ day: '', delivered: 0 }),
      'strict: stage 2 of 5; 500 a day, none delivered yet',
    );
    assert.match(await said({ pausedUntil: NOW + 60_000 }), /^strict: stage 2 of 5, paused until .*2026/);
    const [ahead, paused] = [3, 4].map((stage, i) => ({
      ...{ isp: `isp${i}`, stage, stages: 5, day: '', delivered: 0, dailyCap: 1 },
      pausedUntil: i === 0 ? undefined : NOW,
    }));
    assert.equal(laterWarmup(ahead, paused), paused);
  });

  test('what was put off makes it slow until something is delivered, long after the refusal', async () => {
    assert.equal((await cell({ retry: 10 })).health, 'slow');
    assert.equal((await cell({ retry: 0 })).health, 'good');
  });

  test('is slow by its refusals when they are many, and stuck when nothing else comes', async () => {
    for (const [delivered, refused, health] of [
      [2, 1, 'good'],
      [7, 3, 'good'],
      [6, 3, 'slow'],
      [60, 20, 'good'],
      [60, 30, 'slow'],
      [0, 1, 'stuck'],
    ] as const)
      assert.equal((await cell({ delivered, refused })).health, health, `${delivered} and ${refused}`);
  });

  test('what an operator holds is not stuck, and a node that drains goes on', async () => {
    assert.equal((await cell({ state: 'down' })).health, 'stuck');
    assert.equal((await cell({ state: 'down', hold: 10 })).health, 'good');
    assert.equal((await cell({ state: 'draining' })).health, 'good');
  });
});
