import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { Limiter, type LimiterMark, type LimiterOptions } from '../../../src/mta/egress/limiter.ts';
import { TwoClocks } from './two-clocks.ts';

/** What the sum of many doubles may be off; nobody can send so exactly. */
const DOUBLE_MS = 2e-6;

const speed = fc
  .record({ count: fc.integer({ min: 1, max: 40 }), perMs: fc.integer({ min: 50, max: 90_000 }) })
  .chain((rate) => fc.record({ rate: fc.constant(rate), burst: fc.integer({ min: 1, max: rate.count }) }))
  .map((one): LimiterOptions => ({ ...one, dailyLimit: null, timezone: 'UTC' }));

type Step =
  | {
      readonly kind: 'lease';
      readonly n: number;
      readonly pausesMs: readonly number[];
      readonly lateMs: number;
    }
  | { readonly kind: 'pause'; readonly ms: number }
  | { readonly kind: 'set clock'; readonly ms: number }
  | {
      readonly kind: 'restart';
      readonly of: 'machine' | 'process';
      readonly ms: number;
      readonly mono: number;
      /** How the wall clock is set meanwhile. */
      readonly setMs: number;
    };

const pauseMs = fc.oneof(fc.constant(0), fc.nat(300), fc.nat(100_000));
const lease = fc.record({
  kind: fc.constant('lease' as const),
  n: fc.integer({ min: 1, max: 5 }),
  pausesMs: fc.array(pauseMs, { maxLength: 5 }),
  lateMs: fc.oneof(fc.constant(0), fc.nat(60)),
});
/** As many at once as there are tokens for, up to a whole bucket: what a restart must not give again. */
const spend = fc.integer({ min: 1, max: 40 }).map((n) => ({
  ...{ kind: 'lease' as const, n, lateMs: 0 },
  pausesMs: Array.from({ length: n }, () => 0),
}));
const pause = fc.record({ kind: fc.constant('pause' as const), ms: pauseMs });
/** Hours forward or back, not so much, not at all. */
const backMs = fc.oneof(
  fc.constant(0),
  fc.integer({ min: -90_000, max: 0 }),
  fc.integer({ min: -1e7, max: 0 }),
);
const setMs = fc.oneof(backMs, fc.nat(90_000), fc.integer({ min: 1e6, max: 1e8 }), fc.constant(-1e8));
const clockSet = fc.record({ kind: fc.constant('set clock' as const), ms: setMs });
const clockBack = fc.record({ kind: fc.constant('set clock' as const), ms: backMs });
const restartOf = (of: fc.Arbitrary<'machine' | 'process'>, set: fc.Arbitrary<number>) =>
  fc.record({
    kind: fc.constant('restart' as const),
    of,
    // Parts of a ms too: the wall clock gives whole ones.
    ms: fc.oneof(
      fc.constant(0),
      pauseMs,
      fc.nat(3_000).map((n) => n / 7),
    ),
    mono: fc.nat(1e6),
    setMs: set,
  });
const anyRestart = fc.constantFrom('machine' as const, 'process' as const);
const steps = (...kinds: fc.Arbitrary<Step>[]): fc.Arbitrary<Step[]> =>
  fc.array(fc.oneof({ arbitrary: lease, weight: 2 }, { arbitrary: spend, weight: 2 }, ...kinds), {
    minLength: 5,
    maxLength: 40,
  });

interface Take {
  readonly passed: number;
  readonly wall: number;
}

/** Lets a limiter live through the steps as a lane does: a mark is stored before each lease of up to n tokens. */
function live(options: LimiterOptions, life: readonly Step[], clock = new TwoClocks()): Take[] {
  const takes: Take[] = [];
  let limiter = new Limiter(clock, options);
  let stored: LimiterMark | undefined;
  for (const step of life) {
    if (step.kind === 'pause') clock.advance(step.ms);
    else if (step.kind === 'set clock') clock.step(step.ms);
    else if (step.kind === 'restart') {
      clock.advance(step.ms);
      clock.step(step.setMs);
      if (step.of === 'machine') clock.restart(step.mono);
      else clock.restartProcess(step.mono);
      const read = stored && (JSON.parse(JSON.stringify(stored)) as LimiterMark);
      limiter = new Limiter(clock, options, read);
    } else {
      stored = limiter.mark(step.n);
      for (const ms of step.pausesMs.slice(0, step.n)) {
        clock.advance(ms);
        const since = clock.mono();
        waitFor(limiter, clock);
        clock.advance(step.lateMs);
        limiter.take(since);
        takes.push({ passed: clock.passed, wall: clock.now() });
      }
    }
  }
  return takes;
}

/** Waits as long as the limiter says. */
function waitFor(limiter: Limiter, clock: TwoClocks): void {
  for (let ms = limiter.waitMs(); ms > 0; ms = limiter.waitMs()) clock.advance(Math.max(ms, DOUBLE_MS / 100));
}

/** No half-open window of perMs has more than count takes. */
function assertWindows(takes: readonly Take[], { rate }: LimiterOptions): void {
  const { count, perMs } = rate!;
  for (let i = count; i < takes.length; i++) {
    const windowMs = takes[i]!.passed - takes[i - count]!.passed;
    assert.ok(windowMs >= perMs - DOUBLE_MS, `${count + 1} tokens within ${windowMs} of ${perMs} ms`);
  }
}

describe('limiter: windows', () => {
  test('no window has more than count, however the clock is set while it runs', () => {
    fc.assert(
      fc.property(speed, steps(pause, clockSet), (options, life) =>
        assertWindows(live(options, life), options),
      ),
      { numRuns: 400 },
    );
  });

  test('nor across restarts, with all reserved tokens spent at any time, and a clock set back', () => {
    fc.assert(
      fc.property(speed, steps(pause, restartOf(anyRestart, backMs), clockBack), (options, life) =>
        assertWindows(live(options, life), options),
      ),
      { numRuns: 600 },
    );
  });

  test('nor across restarts of the process, with a clock set forward and back', () => {
    fc.assert(
      fc.property(speed, steps(pause, restartOf(fc.constant('process'), setMs), clockSet), (options, life) =>
        assertWindows(live(options, life), options),
      ),
      { numRuns: 600 },
    );
  });

  test('a clock that is set forward while the process starts again gives no token', () => {
    const options = { rate: { count: 10, perMs: 60_000 }, burst: 10, dailyLimit: null, timezone: 'UTC' };
    const clock = new TwoClocks();
    const first = new Limiter(clock, options);
    let stored: LimiterMark | undefined;
    for (const n of [5, 5]) {
      stored = first.mark(n);
      for (let i = 0; i < n; i++) first.take();
    }
    clock.step(3_600_000);
    clock.restartProcess(7);
    const second = new Limiter(clock, options, JSON.parse(JSON.stringify(stored)) as LimiterMark);
    assert.equal(second.waitMs(), 60_000);
  });

  test('nor when the speed changes, running or over a restart: no more than the faster of both', () => {
    const two = fc.tuple(speed, speed).map(([one, other]): LimiterOptions[] => {
      const perMs = one.rate!.perMs;
      return [one, { ...other, rate: { ...other.rate!, perMs } }];
    });
    const turns = fc.array(
      fc.record({ n: fc.integer({ min: 1, max: 50 }), ms: pauseMs, restart: fc.boolean() }),
    );
    fc.assert(
      fc.property(two, turns, (options, life) => {
        const clock = new TwoClocks();
        const takes: Take[] = [];
        let limiter = new Limiter(clock, options[0]!);
        for (const [i, { n, ms, restart: again }] of life.entries()) {
          const mark = limiter.mark(n);
          for (let k = 0; k < n; k++) {
            waitFor(limiter, clock);
            limiter.take();
            takes.push({ passed: clock.passed, wall: clock.now() });
          }
          clock.advance(ms);
          const next = options[(i + 1) % 2]!;
          if (again) limiter = new Limiter(clock, next, mark);
          else limiter.configure(next);
        }
        const count = Math.max(options[0]!.rate!.count, options[1]!.rate!.count);
        assertWindows(takes, { ...options[0]!, rate: { count, perMs: options[0]!.rate!.perMs } });
      }),
      { numRuns: 400 },
    );
  });

  test('a faster speed holds from a start on, a slower one makes nobody wait for longer at once', () => {
    const clock = new TwoClocks();
    const hourly = { rate: { count: 1, perMs: 3_600_000 }, burst: 1, dailyLimit: null, timezone: 'UTC' };
    const mark = new Limiter(clock, hourly).mark(2);
    clock.restart(1);
    const waitWith = (count: number): number =>
      new Limiter(clock, { ...hourly, rate: { ...hourly.rate, count } }, mark).waitMs();
    assert.equal(Math.round(waitWith(1) / 60_000), 60);
    assert.equal(Math.round(waitWith(60) / 60_000), 1);
    const fast = new Limiter(clock, { ...hourly, rate: { ...hourly.rate, count: 60 } }).mark(2);
    assert.equal(Math.round(new Limiter(clock, hourly, fast).waitMs() / 60_000), 1);
  });

  test('after a crash nobody waits for more than a burst, whatever was reserved; after an end, only for what was spent', () => {
    const clock = new TwoClocks();
    const options = { rate: { count: 60, perMs: 60_000 }, burst: 3, dailyLimit: 100, timezone: 'UTC' };
    const first = new Limiter(clock, options);
    const waitAfter = (mark: LimiterMark, n: number): number =>
      Math.round(new Limiter(clock, options, mark).waitMs(n));
    const interval = 60_000 / (60 - 3 + 1);
    const crashed = first.mark(40);
    assert.equal(waitAfter(crashed, 1), Math.round(interval));
    assert.equal(waitAfter(crashed, 60), Math.round(60 * interval), 'forty of the day count as spent');
    assert.ok(waitAfter(crashed, 61) > 3_600_000);
    first.take();
    const ended = first.mark(0);
    assert.equal(waitAfter(ended, 2), 0);
    assert.equal(waitAfter(ended, 3), Math.round(interval));
    assert.ok(waitAfter(ended, 99) < 3_600_000);
  });

  test('a token spent long after its mark still counts when the process starts again', () => {
    const clock = new TwoClocks();
    const options = { rate: { count: 1, perMs: 60_000 }, burst: 1, dailyLimit: null, timezone: 'UTC' };
    const limiter = new Limiter(clock, options);
    const mark = limiter.mark(1);
    clock.advance(300_000); // the session took its time to open
    assert.equal(limiter.waitMs(), 0);
    limiter.take();
    clock.advance(10);
    clock.restart(1);
    assert.ok(new Limiter(clock, options, mark).waitMs() >= 59_990);
  });

  test('a wall clock of whole ms gives no token a part of one too soon', () => {
    const options = { rate: { count: 1, perMs: 60_000 }, burst: 1, dailyLimit: null, timezone: 'UTC' };
    const clock = new TwoClocks();
    clock.advance(0.9);
    const limiter = new Limiter(clock, options);
    limiter.take();
    const mark = limiter.mark(0);
    clock.advance(500.1);
    clock.restart(1);
    assert.ok(new Limiter(clock, options, mark).waitMs() >= 60_000 - 500.1);
  });

  test('a restart costs what was reserved, no more', () => {
    fc.assert(
      fc.property(speed, fc.integer({ min: 1, max: 5 }), fc.nat(200_000), (options, n, ms) => {
        const clock = new TwoClocks();
        const mark = new Limiter(clock, options).mark(n);
        clock.advance(ms);
        const { rate, burst } = options;
        const interval = (rate!.perMs * 1.005) / (rate!.count - burst + 1);
        const wait = new Limiter(clock, options, mark).waitMs();
        assert.ok(wait <= n * interval + DOUBLE_MS, `${wait} ms for ${n} tokens of ${interval} ms`);
      }),
    );
  });
});

describe('limiter: speed', () => {
  test('a saturated limiter with burst 1 gives at least 99 % of its rate', () => {
    fc.assert(
      fc.property(speed, fc.integer({ min: 50, max: 400 }), ({ rate }, n) => {
        const clock = new TwoClocks();
        const limiter = new Limiter(clock, { rate, burst: 1, dailyLimit: null, timezone: 'UTC' });
        for (let i = 0; i < n; i++) {
          waitFor(limiter, clock);
          limiter.take();
        }
        const wanted = ((n - 1) * rate!.perMs) / rate!.count;
        assert.ok(clock.passed <= wanted / 0.99, `${n} tokens took ${clock.passed} ms instead of ${wanted}`);
      }),
    );
  });

  test('timers that are late cost a fast limiter nothing, and nobody more than it has waited', () => {
    const clock = new TwoClocks();
    const rate = { count: 6_000, perMs: 60_000 };
    const limiter = new Limiter(clock, { rate, burst: 1, dailyLimit: null, timezone: 'UTC' });
    const takes: Take[] = [];
    for (let i = 0; i < 7_000; i++) {
      const since = clock.mono();
      const waited = limiter.waitMs() > 0;
      waitFor(limiter, clock);
      if (waited) clock.advance(4);
      limiter.take(takes.length > 0 ? since : undefined);
      takes.push({ passed: clock.passed, wall: clock.now() });
    }
    assertWindows(takes, { rate } as LimiterOptions);
    assert.ok(clock.passed < 7_000 * 10 * 1.01, `${clock.passed}`);
    clock.advance(5_000);
    limiter.take();
    assert.ok(limiter.waitMs() > 9, 'idle time is not caught up with');
  });

  test('an idle limiter gives its burst at once, and not one more', () => {
    fc.assert(
      fc.property(speed, pauseMs, (options, ms) => {
        const clock = new TwoClocks();
        const limiter = new Limiter(clock, options);
        clock.advance(ms);
        for (let i = 0; i < options.burst; i++) {
          assert.equal(limiter.waitMs(), 0);
          limiter.take();
        }
        assert.ok(limiter.waitMs() > 0);
      }),
    );
  });

  test('waitMs is exact: a moment earlier there is no token, then there is one', () => {
    fc.assert(
      fc.property(speed, steps(pause), (options, life) => {
        const clock = new TwoClocks();
        const takes = live(options, life, clock);
        assertWindows(takes, options);
        const limiter = new Limiter(clock, options);
        for (let i = 0; i < options.burst; i++) limiter.take();
        const wait = limiter.waitMs();
        assert.ok(wait > 0);
        clock.advance(wait * 0.999);
        assert.ok(limiter.waitMs() > 0, 'too early');
        clock.advance(wait * 0.001 + DOUBLE_MS);
        assert.equal(limiter.waitMs(), 0, 'too late');
      }),
    );
  });

  test('within says how many tokens a time holds', () => {
    fc.assert(
      fc.property(speed, fc.nat(5_000), (options, ms) => {
        const clock = new TwoClocks();
        const limiter = new Limiter(clock, options);
        const n = limiter.within(ms, 100);
        const start = clock.passed;
        for (let i = 0; i < Math.min(n + 1, 100); i++) {
          waitFor(limiter, clock);
          assert.equal(clock.passed - start <= ms + DOUBLE_MS * 100, i < n, `token ${i + 1} of ${n}`);
          limiter.take();
        }
      }),
    );
  });

  test('without rate and daily limit there is no wait', () => {
    const limiter = new Limiter(new TwoClocks(), { rate: null, burst: 1, dailyLimit: null, timezone: 'UTC' });
    assert.ok(limiter.unlimited);
    for (let i = 0; i < 1000; i++) limiter.take();
    assert.equal(limiter.waitMs(500), 0);
  });

  test('a new speed keeps what was spent', () => {
    const clock = new TwoClocks();
    const rest = { burst: 1, dailyLimit: 3, timezone: 'UTC' };
    const limiter = new Limiter(clock, { rate: { count: 1, perMs: 60_000 }, ...rest });
    limiter.take();
    limiter.configure({ rate: { count: 10, perMs: 60_000 }, ...rest });
    assert.equal(limiter.waitMs(), 6_000, 'by the new speed');
    limiter.configure({ rate: { count: 1, perMs: 60_000 }, ...rest });
    assert.equal(limiter.waitMs(), 6_000, 'no sooner by a slower one');
    clock.advance(6_000);
    limiter.take();
    assert.equal(limiter.waitMs(), 60_000);
    limiter.configure({ rate: null, ...rest, dailyLimit: 2 });
    assert.equal(limiter.waitMs(), 12 * 3_600_000 - 6_000, 'the day is full until midnight');
  });
});
