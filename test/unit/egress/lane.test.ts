import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import type { StrategyConfig, WarmupPlanConfig } from '../../../src/config/index.ts';
import { Lane } from '../../../src/mta/egress/lane.ts';
import { NoToken } from '../../../src/mta/egress/token-line.ts';
import { strategy } from './strategy.ts';
import { TwoClocks } from './two-clocks.ts';

interface Rig {
  readonly lane: Lane;
  /** Lets time pass, with its timers and what follows from them. */
  readonly pass: (ms: number) => Promise<void>;
  readonly tokens: () => number;
}

function rigOf(t: TestContext, wish: Partial<StrategyConfig>, warmup?: WarmupPlanConfig): Rig {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const clock = new TwoClocks();
  let tokens = 0;
  const lane = new Lane({
    key: 'isp:x',
    isp: 'x',
    strategy: strategy(wish),
    timezone: 'UTC',
    clock,
    mark: undefined,
    onToken: () => void tokens++,
    ...(warmup && { warmup }),
  });
  const pass = async (ms: number): Promise<void> => {
    clock.advance(ms);
    t.mock.timers.tick(ms);
    await settled();
  };
  return { lane, pass, tokens: () => tokens };
}

/** All that follows from promises that are settled has happened. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const RATE_1_PER_S = { ratePerInterval: { count: 60, perMs: 60_000 } };
const RATE_1_PER_M = { ratePerInterval: { count: 1, perMs: 60_000 } };
/** One hard bounce pauses it. */
const CAREFUL: WarmupPlanConfig = {
  ...{ name: 'careful', stages: [100], byIsp: {}, advanceAt: 50, overflow: 'wait' },
  ...{ maxHardBounces: 5, maxBlocks: 5, minAttempts: 1, pauseMs: 24 * 3_600_000 },
};
const NEVER = new AbortController().signal;

describe('capacity', () => {
  test('two for each session, where there is no limit', (t) =>
    assert.equal(rigOf(t, { concurrentConnections: 7 }).lane.capacity, 14));

  test('with a limit: what has its token within a second, but one at least', async (t) => {
    const { lane } = rigOf(t, { ratePerInterval: { count: 270, perMs: 60_000 }, concurrentConnections: 50 });
    assert.equal(lane.capacity, 5);
    t.mock.timers.reset();
    const slow = rigOf(t, RATE_1_PER_M);
    assert.equal(slow.lane.capacity, 1);
    slow.lane.promise();
    await slow.lane.spend(NEVER);
    assert.equal(slow.lane.capacity, 1);
  });
});

describe('spending', () => {
  test('costs nothing without a limit', (t) => {
    const { lane } = rigOf(t, {});
    for (let i = 0; i < 1_000; i++) {
      assert.ok(lane.mayHandOut());
      lane.promise();
      assert.equal(lane.spend(NEVER), undefined);
    }
  });

  test('first come, first served, each when its token is there', async (t) => {
    const { lane, pass } = rigOf(t, RATE_1_PER_S);
    const spent: string[] = [];
    for (const name of ['a', 'b', 'c']) {
      lane.promise();
      void lane.spend(NEVER)!.then(() => spent.push(name));
    }
    await settled();
    assert.deepEqual(spent, ['a']);
    await pass(999);
    assert.deepEqual(spent, ['a']);
    await pass(1);
    assert.deepEqual(spent, ['a', 'b']);
    await pass(1_000);
    assert.deepEqual(spent, ['a', 'b', 'c']);
  });

  test('one that is aborted leaves the line, takes no token and is not promised any more', async (t) => {
    const { lane, pass } = rigOf(t, RATE_1_PER_S);
    const abort = new AbortController();
    const spent: string[] = [];
    const spend = (name: string, signal: AbortSignal): void => {
      lane.promise();
      lane.spend(signal)!.then(
        () => spent.push(name),
        () => spent.push(`${name} aborted`),
      );
    };
    spend('a', NEVER);
    spend('b', abort.signal);
    spend('c', NEVER);
    await settled();
    await pass(10);
    abort.abort();
    await settled();
    assert.deepEqual(spent, ['a', 'b aborted']);
    await pass(990);
    assert.deepEqual(spent, ['a', 'b aborted', 'c']);
    assert.ok(lane.mayHandOut(), 'nothing is promised, the next token is a second away');
  });

  test('several that go together take the tokens that are there, and give the other promises back', async (t) => {
    const { lane, pass } = rigOf(t, { ratePerInterval: { count: 60, perMs: 60_000 }, burst: 5 });
    lane.promise();
    assert.equal(lane.together(100), 5);
    assert.equal(lane.together(3), 3);
    for (let i = 1; i < 8; i++) lane.promise();
    assert.equal(await lane.spend(NEVER, undefined, 8), 5);
    await pass(100);
    assert.ok(lane.mayHandOut(), 'nothing is promised, the next token is less than a second away');
    lane.promise();
    assert.equal(lane.together(100), 1);
    const next = lane.spend(NEVER, undefined, 1);
    await pass(1_100);
    assert.equal(await next, 1);
  });

  test('who waits in the line goes at once when a new speed lets it', async (t) => {
    const { lane } = rigOf(t, { ratePerInterval: { count: 3, perMs: 60_000 } });
    const spent: string[] = [];
    for (const name of ['a', 'b']) {
      lane.promise();
      void lane.spend(NEVER)!.then(() => spent.push(name));
    }
    await settled();
    assert.deepEqual(spent, ['a']);
    lane.configure(strategy({ name: 'fast' }), 'UTC');
    await settled();
    assert.deepEqual(spent, ['a', 'b']);
  });

  test('who would wait for a day, since the warm-up pauses meanwhile, is told so and not promised any more', async (t) => {
    const { lane, pass } = rigOf(t, RATE_1_PER_S, CAREFUL);
    lane.promise();
    await lane.spend(NEVER);
    lane.promise();
    const waits = assert.rejects(lane.spend(NEVER)!, NoToken);
    lane.refused({ class: 'hard', category: 'bad_mailbox', pattern: 'x' }, '550 no such user');
    await pass(1_000);
    await waits;
    lane.resumeWarmup();
    assert.ok(lane.mayHandOut());
  });

  test('one that comes aborted takes no token', async (t) => {
    const { lane } = rigOf(t, RATE_1_PER_M);
    lane.promise();
    await assert.rejects(lane.spend(AbortSignal.abort())!);
    assert.ok(lane.mayHandOut());
  });
});

describe('handing out', () => {
  test('only when the token comes within a second; then the lane says so by itself', async (t) => {
    const { lane, pass, tokens } = rigOf(t, RATE_1_PER_M);
    assert.ok(lane.mayHandOut());
    lane.promise();
    assert.ok(!lane.mayHandOut(), 'the one token is promised');
    await lane.spend(NEVER);
    assert.ok(!lane.mayHandOut());
    assert.match(lane.waiting()!, /strategy test: next message in 60 s/);
    await pass(58_999);
    assert.equal(tokens(), 0);
    await pass(1);
    assert.equal(tokens(), 1);
    assert.ok(lane.mayHandOut());
    assert.equal(lane.waiting(), undefined);
  });

  test('asking a hundred times is one timer', async (t) => {
    const { lane, pass, tokens } = rigOf(t, RATE_1_PER_M);
    lane.promise();
    for (let i = 0; i < 100; i++) assert.ok(!lane.mayHandOut());
    await pass(59_000);
    assert.equal(tokens(), 1);
  });

  test('who waits is asked again when the speed falls meanwhile', async (t) => {
    const { lane, pass, tokens } = rigOf(t, RATE_1_PER_M);
    lane.promise();
    await lane.spend(NEVER);
    assert.ok(!lane.mayHandOut());
    assert.ok(lane.slowDown(50, 'a rule'));
    assert.equal(tokens(), 1);
    assert.ok(!lane.mayHandOut());
    await pass(60_000);
    assert.equal(tokens(), 2);
  });

  test('what is forgone can be promised again', (t) => {
    const { lane } = rigOf(t, RATE_1_PER_M);
    lane.promise();
    assert.ok(!lane.mayHandOut());
    lane.forgo();
    assert.ok(lane.mayHandOut());
  });

  test('a full day looks again by and by, since the wall clock may be set', async (t) => {
    const { lane, pass, tokens } = rigOf(t, { dailyLimit: 1 });
    lane.promise();
    await lane.spend(NEVER);
    assert.ok(!lane.mayHandOut());
    await pass(60_000);
    assert.equal(tokens(), 1);
    assert.ok(!lane.mayHandOut());
    await pass(12 * 3_600_000);
    assert.ok(lane.mayHandOut());
  });

  test('a stopped lane has no timer', async (t) => {
    const { lane, pass, tokens } = rigOf(t, RATE_1_PER_M);
    lane.promise();
    assert.ok(!lane.mayHandOut());
    lane.stop();
    await pass(120_000);
    assert.equal(tokens(), 0);
  });

  test('a new speed applies at once', (t) => {
    const { lane } = rigOf(t, RATE_1_PER_M);
    lane.promise();
    assert.ok(!lane.mayHandOut());
    lane.configure(strategy({ name: 'fast' }), 'UTC');
    assert.ok(lane.mayHandOut());
    assert.equal(lane.strategy.name, 'fast');
  });
});
