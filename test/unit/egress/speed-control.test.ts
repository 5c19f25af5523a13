import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { AdaptiveConfig, StrategyConfig } from '../../../src/config/index.ts';
import { Lane, type LaneMark } from '../../../src/mta/egress/lane.ts';
import type { SpeedChange } from '../../../src/mta/egress/speed-control.ts';
import { ADAPTIVE, strategy } from './strategy.ts';
import { TwoClocks } from './two-clocks.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const RATE_LIMITED = { class: 'soft', category: 'rate_limited' } as const;

interface Figures {
  readonly accepted: number;
  readonly refused: number;
}

/** A lane with always mail for it, before a receiver that says yes or no. */
class Play {
  readonly clock: TwoClocks;
  readonly lane: Lane;
  readonly changes: SpeedChange[] = [];

  constructor(wish: Partial<StrategyConfig> = {}, mark?: LaneMark, clock = new TwoClocks()) {
    this.clock = clock;
    this.lane = new Lane({
      key: 'isp:x',
      isp: 'x',
      strategy: strategy({ adaptive: ADAPTIVE, ...wish }),
      timezone: 'UTC',
      clock,
      mark,
      onToken: () => undefined,
      onSpeed: (change) => void this.changes.push(change),
    });
  }

  run(ms: number, takes: (at: number) => boolean, ownPaceMs = 1): Figures {
    const end = this.clock.passed + ms;
    let [accepted, refused] = [0, 0];
    for (;;) {
      this.clock.advance(Math.max(this.lane.waitMs(), ownPaceMs));
      if (this.clock.passed >= end) return { accepted, refused };
      this.lane.take();
      if (takes(this.clock.passed)) {
        accepted++;
        this.lane.accepted();
      } else {
        refused++;
        this.lane.refused(RATE_LIMITED, '450 4.7.28 slow down');
      }
    }
  }

  get perSecond(): number {
    return this.lane.slowed?.perSecond ?? Infinity;
  }
}

/** Takes `count` in any stretch of `perMs`; what is refused does not count. */
function fixedLimit(count: number, perMs: number): (at: number) => boolean {
  const times: number[] = [];
  return (at) => {
    while (times.length > 0 && times[0]! <= at - perMs) times.shift();
    if (times.length >= count) return false;
    times.push(at);
    return true;
  };
}

const perMinute = (count: number): Partial<StrategyConfig> => ({
  ratePerInterval: { count, perMs: MINUTE },
});

describe('a receiver with a fixed limit', () => {
  for (const [limit, ceiling, windowMs] of [
    [100, 1_000, MINUTE],
    [300, 400, MINUTE],
    [2_000, 20_000, MINUTE],
    [20, 120, MINUTE],
    [5, 1_200, 1_000],
    [3_000, 600, HOUR],
  ] as const) {
    const perHour = (limit * HOUR) / windowMs;
    test(`${limit} in ${windowMs / 1000} s, found from ${ceiling} a minute: within 10 % below it, almost no refusals`, () => {
      const play = new Play(perMinute(ceiling));
      const takes = fixedLimit(limit, windowMs);
      play.run(2 * HOUR, takes);
      const { accepted, refused } = play.run(10 * HOUR, takes);
      const share = accepted / (10 * perHour);
      assert.ok(share >= 0.9 && share <= 1, `${share}`);
      assert.ok(refused / (accepted + refused) < 0.01, `${refused} refused of ${accepted + refused}`);
    });
  }

  test('is not gone beyond by a little for hours, wherever it is met from', () => {
    for (const limit of [60, 83, 100, 240, 1_000])
      for (const times of [1.2, 1.5, 3, 10]) {
        const play = new Play(perMinute(Math.round(limit * times)));
        const takes = fixedLimit(limit, MINUTE);
        play.run(6 * HOUR, takes);
        const { accepted, refused } = play.run(6 * HOUR, takes);
        const [share, borne] = [refused / (accepted + refused), accepted / (6 * 60 * limit)];
        assert.ok(share < 0.003 && borne > 0.93, `${limit} from ${times} times: ${share}, ${borne}`);
      }
  });
});

describe('a receiver that refuses a few whatever the speed', () => {
  /** One in 1,000 or so, each by chance, but the same in each run. */
  const unless = (inThousand: number, takes: (at: number) => boolean): ((at: number) => boolean) => {
    let seed = 7;
    const chance = (): number => (seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31) / 2 ** 31;
    return (at) => chance() * 1000 >= inThousand && takes(at);
  };

  for (const few of [1, 3, 5])
    test(`${few} in 1,000: its limit is found all the same, and held`, () => {
      const play = new Play(perMinute(3_000));
      const takes = unless(few, fixedLimit(1_000, MINUTE));
      play.run(6 * HOUR, takes);
      const { accepted } = play.run(6 * HOUR, takes);
      assert.ok(accepted >= 0.8 * 6 * 60 * 1_000, `${accepted / 360} a minute`);
    });

  test('after a block the speed of before comes back as it does without them', () => {
    for (const [rate, few] of [
      [1_000, 0],
      [1_000, 10],
      [6_000, 3],
    ] as const) {
      const play = new Play(perMinute(rate));
      const takes = unless(few, () => true);
      play.run(20 * MINUTE, takes);
      play.run(30 * MINUTE, () => false);
      play.run(20 * MINUTE, takes);
      const { accepted } = play.run(20 * MINUTE, takes);
      assert.ok(accepted >= 0.95 * 20 * rate * (1 - few / 1_000), `${few}: ${accepted / 20} a minute`);
    }
  });

  test('one refusal does not hold the speed for long, nor for good', () => {
    const play = new Play(perMinute(60));
    play.run(5 * MINUTE, () => true);
    play.run(10 * MINUTE, fixedLimit(30, MINUTE));
    const { perSecond } = play;
    let n = 0;
    play.run(20 * MINUTE, () => ++n % 600 !== 10);
    assert.ok(play.perSecond > 1.2 * perSecond, `${play.perSecond} after ${perSecond}`);
    play.run(12 * HOUR, () => ++n % 600 !== 10);
    assert.equal(play.lane.slowed, undefined);
  });
});

describe('a speed that was lowered', () => {
  const never = (): boolean => false;
  const always = (): boolean => true;
  const slowed = (wish: Partial<AdaptiveConfig> = {}): Play => {
    const play = new Play({ ...perMinute(600), adaptive: { ...ADAPTIVE, ...wish } });
    play.run(5 * MINUTE, always);
    play.run(MINUTE, never);
    return play;
  };

  test('falls by half at most each time, down to the floor, and says why', () => {
    const play = slowed({ floor: { count: 30, perMs: MINUTE } });
    for (const { from = 10, to } of play.changes) assert.ok(to! >= from * 0.499, `${from} to ${to}`);
    assert.equal(play.perSecond, 0.5);
    assert.match(play.changes[0]!.reason, /^\d+ % rate_limited: 450 4\.7\.28 slow down$/);
    assert.equal(play.lane.slowed!.cutReason.startsWith('100 %'), true);
  });

  test('rises in equal steps to where it was, then is free again', () => {
    const play = slowed();
    play.changes.length = 0;
    play.run(HOUR, always);
    assert.equal(play.lane.slowed, undefined);
    assert.equal(play.lane.unlimited, false, 'the strategy still holds');
    const rises = play.changes.map(({ from, to }) => (to ?? 10) - from!);
    assert.ok(rises.length >= 10 && rises.every((rise) => rise > 0));
    const [first, second] = rises;
    assert.ok(Math.abs(first! - second!) < 1e-9, 'additive');
  });

  test('is again what it was before a restart, and is forgotten a day later', () => {
    const before = slowed();
    const mark = JSON.parse(JSON.stringify(before.lane.mark())) as LaneMark;
    const after = new Play(perMinute(600), mark, before.clock);
    assert.equal(after.perSecond, before.perSecond);
    assert.equal(after.lane.slowed!.cutReason, before.lane.slowed!.cutReason);
    after.run(HOUR, always);
    assert.equal(after.lane.slowed, undefined);
    before.clock.advance(25 * HOUR);
    assert.equal(new Play(perMinute(600), mark, before.clock).lane.slowed, undefined);
  });

  test('is forgotten after a day without mail, while the program runs', () => {
    const { lane, clock } = slowed();
    clock.advance(23 * HOUR);
    lane.look();
    assert.ok(lane.slowed);
    clock.advance(2 * HOUR);
    lane.look();
    assert.equal(lane.slowed, undefined);
  });

  test('does not fall for a share of trouble below the threshold, nor for other refusals', () => {
    const play = new Play(perMinute(600));
    let n = 0;
    play.run(HOUR, () => ++n % 100 !== 0);
    assert.equal(play.lane.slowed, undefined);
    for (let i = 0; i < 100; i++)
      play.lane.refused({ class: 'hard', category: 'bad_mailbox' }, '550 5.1.1 no such user');
    assert.equal(play.lane.slowed, undefined);
  });

  test('replies to what was sent before it fell do not lower it again', () => {
    const play = new Play(perMinute(600));
    play.run(MINUTE, always);
    for (let i = 0; i < 50; i++) play.lane.refused(RATE_LIMITED, '450 slow down');
    assert.equal(play.changes.length, 1);
  });

  test('a strategy that is not adaptive is not slowed by replies', () => {
    const play = new Play({ ...perMinute(600), adaptive: { ...ADAPTIVE, enabled: false } });
    play.run(HOUR, never);
    assert.deepEqual(play.changes, []);
  });
});

describe('a rule that says slow_down', () => {
  test('lowers any lane once for a burst of replies, and it recovers by itself', () => {
    const play = new Play({ ...perMinute(600), adaptive: { ...ADAPTIVE, enabled: false } });
    play.run(5 * MINUTE, () => true);
    assert.ok(play.lane.slowDown(50, 'rule gmail-rate: 421 4.7.28'));
    assert.ok(!play.lane.slowDown(50, 'rule gmail-rate: 421 4.7.28'));
    assert.ok(Math.abs(play.perSecond - 5) < 0.1, `${play.perSecond}`);
    assert.equal(play.lane.slowed!.reason, 'rule gmail-rate: 421 4.7.28');
    play.run(HOUR, () => true);
    assert.equal(play.lane.slowed, undefined);
  });

  test('leaves to an adaptive strategy what its share of trouble steers', () => {
    const play = new Play(perMinute(600));
    assert.ok(!play.lane.slowDown(50, 'rule', 'rate_limited'));
    assert.ok(play.lane.slowDown(50, 'rule', 'spam_content'));
  });

  test('lowers a lane without a limit by what it has sent lately', () => {
    const play = new Play({ adaptive: { ...ADAPTIVE, enabled: false } });
    assert.ok(play.lane.unlimited);
    play.lane.look();
    play.run(10_000, () => true, 100);
    play.lane.slowDown(20, 'rule');
    assert.ok(!play.lane.unlimited);
    assert.ok(Math.abs(play.perSecond - 8) < 0.2, `${play.perSecond}`);
    play.lane.fullSpeed('by hand');
    assert.ok(play.lane.unlimited);
  });
});

describe('a receiver that refuses sessions', () => {
  test('gets one less than it refused, and one more after a while', () => {
    const { lane, clock } = new Play({ concurrentConnections: 20 });
    const alone = { pump: () => undefined, evict: () => 0 };
    for (let i = 0; i < 6; i++) assert.ok(lane.places.reserve(alone, 20));
    lane.refused({ class: 'soft', category: 'connection_limit' }, '421 too many connections');
    assert.equal(lane.maxSessions, 5);
    lane.refused({ class: 'soft', category: 'connection_limit' }, '421 too many connections');
    assert.equal(lane.maxSessions, 4, 'two that were opened together');
    clock.advance(MINUTE);
    assert.equal(lane.maxSessions, 5);
    clock.advance(20_000);
    lane.refused({ class: 'soft', category: 'connection_limit' }, '421 too many connections');
    assert.equal(lane.maxSessions, 4);
    clock.advance(MINUTE);
    assert.equal(lane.maxSessions, 4, 'the next try comes later');
    clock.advance(MINUTE);
    assert.equal(lane.maxSessions, 5);
  });
});
