import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { CapConfig } from '../../../src/config/index.ts';
import { Caps } from '../../../src/mta/egress/caps.ts';
import { Lane } from '../../../src/mta/egress/lane.ts';
import { configured } from './configured.ts';
import { strategy } from './strategy.ts';
import { TwoClocks } from './two-clocks.ts';

const CAP = { name: 'all', isp: 'x', rate: '10/1m', burst: 1 };

function capsOf(clock: TwoClocks, stored: ReadonlyMap<string, unknown>, ...caps: object[]): Caps {
  const config = configured({ isps: [{ name: 'x', domains: ['x.test'] }] });
  const { caps: parsed } = configured({
    isps: [{ name: 'x', domains: ['x.test'] }],
    nodes: [{ name: 'n1', address: '127.0.0.1', hostname: 'n1.test' }],
    senders: [{ name: 'a', nodes: [{ node: 'n1' }] }],
    caps,
  });
  return new Caps(clock, { ...config, caps: parsed satisfies readonly CapConfig[] }, (key) =>
    stored.get(key),
  );
}

function laneOf(clock: TwoClocks, caps: Caps): Lane {
  const lane = new Lane({
    key: 'isp:x',
    isp: 'x',
    strategy: strategy(),
    timezone: 'UTC',
    clock,
    mark: undefined,
    onToken: () => undefined,
  });
  lane.caps = caps.join(lane, lane.isp);
  return lane;
}

/** Each step: time goes on, perhaps the process starts anew, and one of three lanes sends if the cap lets it. */
const stepsWith = (restart: fc.Arbitrary<boolean>) =>
  fc.array(fc.record({ lane: fc.nat(2), ms: fc.nat(4_000), restart, sender: fc.constantFrom('a', 'b') }), {
    minLength: 20,
    maxLength: 60,
  });
const life = fc.oneof(stepsWith(fc.boolean()), stepsWith(fc.constant(false)));
type Step = typeof life extends fc.Arbitrary<readonly (infer One)[]> ? One : never;

/** When what the cap is about was sent (ms). `spends`: sends one if it may; says whether it counts for the cap. */
async function sent(
  steps: readonly Step[],
  cap: object,
  spends: (lane: Lane, step: Step) => boolean | Promise<boolean>,
): Promise<number[]> {
  const clock = new TwoClocks();
  const stored = new Map<string, unknown>();
  let lanes: Lane[] = [];
  const start = (): void => {
    const caps = capsOf(clock, stored, cap);
    lanes = [0, 1, 2].map(() => laneOf(clock, caps));
  };
  start();
  const times: number[] = [];
  for (const step of steps) {
    clock.advance(step.ms);
    if (step.restart) {
      clock.restart(1);
      start();
    }
    const lane = lanes[step.lane]!;
    lane.leasing = 1;
    for (const one of [...lane.caps.all, ...lane.capsOf('a')]) {
      const { key, value } = one.mark();
      stored.set(key, JSON.parse(JSON.stringify(value)));
    }
    if (await spends(lane, step)) times.push(clock.passed);
    lane.leasing = 0;
  }
  return times;
}

function assertTenAMinute(times: readonly number[]): void {
  for (let k = 10; k < times.length; k++) {
    const ms = times[k]! - times[k - 10]!;
    assert.ok(ms >= 60_000 - 1e-3, `11 within ${ms} ms`);
  }
}

describe('a cap of an ISP', () => {
  test('three lanes together never exceed it, also over restarts', async () => {
    const take = (lane: Lane): boolean => {
      if (lane.waitMs() > 0) return false;
      lane.take();
      return true;
    };
    const run = async (steps: readonly Step[]): Promise<void> =>
      assertTenAMinute(await sent(steps, CAP, take));
    await fc.assert(fc.asyncProperty(life, run), { numRuns: 100 });
  });

  test('a lane says that it waits for it, and is free of it when the cap has gone', () => {
    const clock = new TwoClocks();
    const lane = laneOf(clock, capsOf(clock, new Map(), CAP));
    assert.ok(!lane.unlimited);
    lane.take();
    assert.match(lane.waiting()!, /^cap all: next message in 6 s$/);
    lane.caps = capsOf(clock, new Map()).join(lane, 'x');
    assert.ok(lane.unlimited);
  });

  test('it is named as the reason also when time goes on while the lane is asked', () => {
    const clock = new (class extends TwoClocks {
      override mono(): number {
        this.advance(1);
        return super.mono();
      }
    })();
    const lane = laneOf(clock, capsOf(clock, new Map(), CAP));
    lane.take();
    assert.match(lane.waiting()!, /^cap all: /);
  });
});

describe('a cap of a sender', () => {
  test('its mail in three lanes together never exceeds it, also over restarts; that of another goes at once', async () => {
    const { signal } = new AbortController();
    const spend = async (lane: Lane, { sender }: Step): Promise<boolean> => {
      const [cap] = lane.capsOf(sender);
      assert.equal(cap === undefined, sender === 'b');
      if (cap && cap.limiter.waitMs() > 0) return false;
      lane.promise();
      await lane.spend(signal, sender);
      return sender === 'a';
    };
    const run = async (steps: readonly Step[]): Promise<void> =>
      assertTenAMinute(await sent(steps, { ...CAP, sender: 'a' }, spend));
    await fc.assert(fc.asyncProperty(life, run), { numRuns: 100 });
  });

  test('is no limit for others, and has room for its sender when a token comes', () => {
    const clock = new TwoClocks();
    const lane = laneOf(clock, capsOf(clock, new Map(), { ...CAP, sender: 'a' }));
    assert.ok(lane.unlimited);
    assert.deepEqual(lane.capsOf('b'), []);
    const [cap] = lane.capsOf('a');
    assert.equal(cap!.room(5), 1);
    cap!.limiter.take();
    assert.equal(cap!.room(5), 0);
    assert.equal(cap!.nextRoomMs(), 6_000);
    assert.match(lane.waiting('a')!, /^cap all: next message in 6 s$/);
    assert.equal(lane.waiting('b'), undefined);
    clock.advance(6_000);
    assert.equal(cap!.room(5), 1);
    assert.equal(lane.waiting('a'), undefined);
  });
});
