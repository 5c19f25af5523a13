import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { WarmupPlanConfig } from '../../../src/config/index.ts';
import { dayAt } from '../../../src/core/index.ts';
import { Warmup, type WarmupMark } from '../../../src/mta/egress/warmup.ts';
import { TwoClocks } from './two-clocks.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const PLAN: WarmupPlanConfig = {
  name: 'plan',
  stages: [10, 20, 40],
  byIsp: { gmail: [2, 4] },
  advanceAt: 50,
  maxHardBounces: 5,
  maxBlocks: 5,
  minAttempts: 5,
  pauseMs: DAY,
  overflow: 'wait',
};

class Rig {
  readonly clock: TwoClocks;
  readonly reasons: string[] = [];
  readonly warmup: Warmup;
  readonly #plan: Partial<WarmupPlanConfig>;

  constructor(plan: Partial<WarmupPlanConfig> = {}, clock = new TwoClocks(), mark?: WarmupMark) {
    this.clock = clock;
    this.#plan = plan;
    this.warmup = new Warmup({
      clock,
      plan: { ...PLAN, ...plan },
      isp: 'x',
      timezone: 'UTC',
      mark,
      onChange: (reason) => void this.reasons.push(reason),
    });
  }

  /** Sends up to `wish` and says how many went. */
  send(wish: number): number {
    let sent = 0;
    while (sent < wish && this.warmup.waitMs() === 0) {
      this.warmup.take();
      this.warmup.accepted();
      sent++;
    }
    return sent;
  }

  restart(): Rig {
    const mark = JSON.parse(JSON.stringify(this.warmup.mark(0))) as WarmupMark;
    return new Rig(this.#plan, this.clock, mark);
  }
}

describe('days', () => {
  test('each day with enough mail is a stage; after the last one there is no cap', () => {
    const rig = new Rig();
    const sent: number[] = [];
    for (let day = 0; day < 4; day++) {
      sent.push(rig.send(1000));
      rig.clock.advance(DAY);
    }
    assert.deepEqual(sent, [10, 20, 40, 1000]);
    assert.ok(rig.warmup.done);
    assert.deepEqual(rig.reasons, [
      'warm-up stage 2 of 3: 20 a day',
      'warm-up stage 3 of 3: 40 a day',
      'warm-up done',
    ]);
  });

  test('a day without mail, or with little, does not count', () => {
    const rig = new Rig();
    rig.clock.advance(3 * DAY);
    assert.equal(rig.send(4), 4);
    rig.clock.advance(DAY);
    assert.equal(rig.warmup.dailyCap, 10);
    assert.equal(rig.send(5), 5);
    rig.clock.advance(DAY);
    assert.equal(rig.warmup.state.stage, 1);
    rig.clock.advance(5 * DAY);
    assert.equal(rig.warmup.state.stage, 1, 'a week of rest');
    assert.equal(rig.send(1000), 20);
  });

  test('the cap holds over restarts, and so does the stage', () => {
    const rig = new Rig();
    assert.equal(rig.send(6), 6);
    const second = rig.restart();
    assert.equal(second.send(1000), 4);
    const hours = second.warmup.waitMs() / HOUR;
    assert.equal(hours, 12, 'it says when the day ends');
    rig.clock.advance(DAY);
    const third = second.restart();
    assert.equal(third.send(1000), 20);
    assert.equal(third.restart().warmup.state.stage, 1);
  });

  test('a reload that is the first thing of a new day keeps the day before', () => {
    const rig = new Rig();
    assert.equal(rig.send(10), 10);
    rig.clock.advance(DAY);
    rig.warmup.configure(PLAN, 'UTC');
    assert.equal(rig.warmup.state.stage, 1);
    assert.equal(rig.send(1000), 20);
  });

  test('an ISP may have stages of its own', () => {
    const { clock } = new Rig();
    const options = { clock, plan: PLAN, timezone: 'UTC', mark: undefined, onChange: () => undefined };
    assert.equal(new Warmup({ ...options, isp: 'gmail' }).dailyCap, 2);
  });

  test('no calendar day has more than the cap of its stage, whenever it restarts and however the clock is set', () => {
    const step = fc.record({
      ms: fc.nat(40 * HOUR),
      set: fc.integer({ min: -30 * HOUR, max: 30 * HOUR }),
      wish: fc.nat(30),
      restart: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (life) => {
        let rig = new Rig({ stages: [5, 5, 5, 5] });
        const days = new Map<string, number>();
        for (const { ms, set, wish, restart } of life) {
          rig.clock.advance(ms);
          if (ms % 3 === 0) rig.clock.step(set);
          if (restart) rig = rig.restart();
          if (rig.warmup.state.stage >= 4) return;
          const { name } = dayAt(rig.clock.now(), 'UTC');
          days.set(name, (days.get(name) ?? 0) + rig.send(wish));
        }
        for (const [name, count] of days) assert.ok(count <= 5, `${count} on ${name}`);
      }),
      { numRuns: 60 },
    );
  });
});

describe('pauses', () => {
  test('too many hard bounces stop it for the pause; then it goes on a stage lower', () => {
    const rig = new Rig();
    rig.send(10);
    rig.clock.advance(DAY);
    assert.equal(rig.send(10), 10);
    rig.warmup.refused('hard', '550 5.1.1 no such user');
    assert.match(
      rig.reasons.at(-1)!,
      /^warm-up paused: 9\.1 % hard bounces of 11, the last one: 550 5\.1\.1/,
    );
    assert.equal(rig.send(1), 0);
    assert.equal(rig.warmup.waitMs(), DAY);
    rig.clock.advance(DAY);
    assert.equal(rig.send(1000), 10, 'stage 1 again');
    assert.deepEqual(rig.reasons.at(-1), 'warm-up goes on after a pause');
  });

  test('so do blocks; other refusals and a few replies do not', () => {
    const rig = new Rig();
    rig.warmup.refused('block', '550 blocked');
    for (let i = 0; i < 100; i++) rig.warmup.refused('soft', '450 later');
    assert.deepEqual(rig.reasons, [], 'one reply says nothing');
    rig.send(4);
    rig.warmup.refused('block', '550 blocked');
    assert.match(rig.reasons.at(-1)!, /33\.3 % blocks of 6/);
  });

  test('a pause outlives a restart and can be ended by hand', () => {
    const rig = new Rig();
    for (let i = 0; i < 5; i++) rig.warmup.refused('hard', 'x');
    const again = rig.restart();
    assert.equal(again.send(1), 0);
    again.warmup.resume();
    assert.equal(again.send(1), 1);
  });
});
