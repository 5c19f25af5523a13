import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { judge, type Measured } from '../../../src/alerts/judge.ts';
import type { AlertsConfig } from '../../../src/config/index.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const NOW = 100 * HOUR;
const CONFIG: AlertsConfig = {
  periodMs: HOUR,
  complaintPeriodMs: 24 * HOUR,
  minVolume: 200,
  minCount: 3,
  hardBounces: 1,
  softBounces: 30,
  complaints: 0.07,
  stuckMailMs: 30 * MINUTE,
  stuckVolume: 10,
  nodeDownMs: MINUTE,
  slowCommitMs: 500,
  clearAfterMs: MINUTE,
};
const QUIET: Measured = {
  now: NOW,
  since: NOW - 48 * HOUR,
  shares: [],
  waiting: [],
  down: [],
  disk: undefined,
};
const counts = (some: object) => ({ delivered: 0, soft: 0, hard: 0, complaints: 0, ...some });
const bounced = (some: object, more: Partial<Measured> = {}): Measured => ({
  ...QUIET,
  shares: [{ isp: 'gmail', bounces: counts(some), complaints: counts({}) }],
  ...more,
});
const complained = (some: object): Measured => ({
  ...QUIET,
  shares: [{ isp: 'gmail', bounces: counts({}), complaints: counts(some) }],
});
const waits = (minutes: number, silent: number, count = 10): Measured => ({
  ...QUIET,
  waiting: [
    {
      isp: 'gmail',
      count,
      oldest: NOW - minutes * MINUTE,
      lastDelivered: NOW - silent * MINUTE,
      why: 'locked',
    },
  ],
});
const down = (ms: number): Measured => ({
  ...QUIET,
  down: [{ node: 'n1', since: NOW - ms, why: 'address away' }],
});
const behind = (share: number): Measured['lag'] => ({ reader: 'api', events: 9, share });
const commits = (count: number, slowCount: number, slowTotalMs: number): Measured => ({
  ...QUIET,
  commits: { count, ms: slowTotalMs, slowCount, slowTotalMs },
});
const told = (measured: Measured, config = CONFIG): string[] =>
  judge(measured, config).map(({ name, isp, node, verdict }) => `${name} ${isp ?? node ?? ''} ${verdict}`);

describe('what alerts', () => {
  const table: readonly (readonly [what: string, measured: Measured, expected: readonly string[]])[] = [
    ['quiet', QUIET, []],
    [
      'the disk',
      { ...QUIET, disk: { text: '100 MB are free', remedy: 'make room' } },
      ['disk_reserve  holds'],
    ],
    ['ten seconds of slow commits', commits(500, 10, 10_000), ['slow_disk  holds']],
    ['a little less', commits(500, 10, 9_999), []],
    ['quick commits', commits(500, 0, 0), []],
    ['a follower at half of the journal', { ...QUIET, lag: behind(0.5) }, ['journal_lag  holds']],
    ['a follower that is behind a little', { ...QUIET, lag: behind(0.49) }, []],
    ['a node that is down', down(MINUTE), ['node_down n1 holds']],
    ['a node that went down just now', down(MINUTE - 1), []],
    ['old mail, none taken', waits(30, 30), ['stuck_mail gmail holds']],
    ['old mail beside what is taken', waits(600, 29), []],
    ['mail that came just now to a silent ISP', waits(29, 600), []],
    ['little old mail', waits(600, 600, 9), []],
    ['1 % hard', bounced({ delivered: 396, hard: 4 }), []],
    ['more than 1 % hard', bounced({ delivered: 395, hard: 5 }), ['hard_bounces gmail holds']],
    ['a large share of little mail', bounced({ delivered: 100, hard: 99 }), []],
    ['two hard bounces', bounced({ delivered: 198, hard: 2 }, {}), []],
    ['more than 30 % soft', bounced({ delivered: 139, soft: 61 }), ['soft_bounces gmail holds']],
    ['30 % soft', bounced({ delivered: 140, soft: 60 }), []],
    ['both', bounced({ soft: 195, hard: 5 }), ['hard_bounces gmail holds', 'soft_bounces gmail holds']],
    ['0.07 % complaints', complained({ delivered: 10_000, complaints: 7 }), []],
    ['more complaints', complained({ delivered: 10_000, complaints: 8 }), ['complaints gmail holds']],
    ['two complaints', complained({ delivered: 1_000, complaints: 2 }), []],
  ];
  for (const [what, measured, expected] of table)
    test(what, () => {
      assert.deepEqual(
        told(measured).filter((line) => !line.endsWith('unknown')),
        expected,
      );
    });

  test('too little mail says nothing as long as the period has not been seen in full', () => {
    assert.deepEqual(told(bounced({ delivered: 1 }, { since: NOW - MINUTE })), [
      'hard_bounces gmail unknown',
      'soft_bounces gmail unknown',
      'complaints gmail unknown',
    ]);
    assert.deepEqual(told(bounced({ delivered: 1 })), []);
  });

  test('some slow commits, or none at all, neither begin nor end the alert about the disk', () => {
    assert.deepEqual(told(commits(500, 1, 600)), ['slow_disk  unknown']);
    assert.deepEqual(told(commits(0, 0, 0)), ['slow_disk  unknown']);
    assert.deepEqual(told(commits(1, 0, 0)), []);
    const [finding] = judge(commits(12, 9, 10_800), CONFIG);
    assert.match(
      finding!.text,
      /takes 1\.2s \(9 of 12 in the last minute were slow\)\. .* none is lost; .*iostat/,
    );
  });

  test('null turns each off', () => {
    const off = {
      ...CONFIG,
      hardBounces: null,
      softBounces: null,
      complaints: null,
      stuckMailMs: null,
      slowCommitMs: null,
      nodeDownMs: null,
    };
    const all = {
      ...bounced({ soft: 195, hard: 5 }),
      waiting: waits(600, 600).waiting,
      down: down(HOUR).down,
      commits: commits(20, 20, 20_000).commits,
    };
    assert.equal(told(all).length, 5);
    assert.deepEqual(told(all, off), []);
  });

  test('the text says how much, where, for how long and why', () => {
    const [stuck] = judge(waits(45, 40, 1200), CONFIG);
    assert.equal(
      stuck?.text,
      '1200 deliveries to gmail wait, the oldest for 45m, and none was taken for 40m: locked',
    );
  });
});
