import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { CapConfig } from '../../../src/config/index.ts';
import { Caps, type SharedCap } from '../../../src/mta/egress/caps.ts';
import { Lane } from '../../../src/mta/egress/lane.ts';
import type { LimitMark } from '../../../src/queue/index.ts';
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
  lane.caps = caps.of(lane.isp);
  return lane;
}

/** Each step: time goes on, perhaps the process starts anew, and one of three lanes leases and sends as the cap lets it. */
const stepsWith = (restart: fc.Arbitrary<'crash' | 'stop' | undefined>) =>
  fc.array(fc.record({ lane: fc.nat(2), ms: fc.nat(4_000), restart, sender: fc.constantFrom('a', 'b') }), {
    minLength: 20,
    maxLength: 60,
  });
const life = fc.oneof(
  stepsWith(fc.constantFrom('crash', 'stop', undefined, undefined)),
  stepsWith(fc.constant(undefined)),
);
type Step = typeof life extends fc.Arbitrary<readonly (infer One)[]> ? One : never;

/** When what the cap is about was sent (ms). */
async function sent(steps: readonly Step[], cap: object): Promise<number[]> {
  const clock = new TwoClocks();
  const stored = new Map<string, unknown>();
  const store = ({ key, value }: LimitMark): unknown => stored.set(key, JSON.parse(JSON.stringify(value)));
  let lanes: Lane[] = [];
  let held: { readonly lane: Lane; readonly id: string; readonly limits: readonly SharedCap[] }[] = [];
  const start = (): void => {
    const caps = capsOf(clock, stored, cap);
    lanes = [0, 1, 2].map(() => laneOf(clock, caps));
    held = [];
  };
  start();
  const times: number[] = [];
  for (const [at, { restart, ms, lane: number, sender }] of steps.entries()) {
    clock.advance(ms);
    if (restart === 'stop') for (const one of lanes[0]!.capsOf('a')) store(one.stored(0));
    if (restart) {
      clock.restart(1);
      start();
    }
    const lane = lanes[number]!;
    const limits = lane.capsOf(sender);
    const count = limits.reduce((most, one) => one.room(most), 3);
    const told = limits.map((one) => one.requested(count));
    for (const one of limits) store(one.stored());
    const brought = Array.from({ length: count }, (_, i) => ({ id: `${at}.${i}` }));
    for (const tell of told) tell(brought);
    held.push(...brought.map(({ id }) => ({ lane, id, limits })));
    const going = held.filter((one) => one.lane === lane);
    for (const one of going) {
      if (one.limits.some(({ limiter }) => limiter.waitMs() > 0)) continue;
      held.splice(held.indexOf(one), 1);
      if (one.limits.length > 0) times.push(clock.passed);
      lane.promise();
      await lane.spend(NEVER, () => one.limits.map((limit) => limit.capOf([one.id])));
    }
  }
  return times;
}

const NEVER = new AbortController().signal;

function assertTenAMinute(times: readonly number[]): void {
  for (let k = 10; k < times.length; k++) {
    const ms = times[k]! - times[k - 10]!;
    assert.ok(ms >= 60_000 - 1e-3, `11 within ${ms} ms`);
  }
}

const holds = (cap: object) =>
  fc.assert(
    fc.asyncProperty(life, async (steps) => assertTenAMinute(await sent(steps, cap))),
    { numRuns: 100 },
  );

describe('a cap of an ISP', () => {
  test('three lanes together never exceed it, also over restarts', () => holds(CAP));
  test('nor when some may go at once', () => holds({ ...CAP, burst: 4 }));

  test('a lane says that it waits for it, and is free of it when the cap has gone', () => {
    const clock = new TwoClocks();
    const lane = laneOf(clock, capsOf(clock, new Map(), CAP));
    lane.capsOf('a')[0]!.limiter.take();
    assert.match(lane.waiting()!, /^cap all: next message in 6 s$/);
    assert.match(lane.waiting('a')!, /^cap all: next message in 6 s$/);
    lane.caps = capsOf(clock, new Map()).of('x');
    assert.equal(lane.waiting(), undefined);
  });

  test('it is named as the reason also when time goes on while the lane is asked', () => {
    const clock = new (class extends TwoClocks {
      override mono(): number {
        this.advance(1);
        return super.mono();
      }
    })();
    const lane = laneOf(clock, capsOf(clock, new Map(), CAP));
    lane.capsOf(undefined)[0]!.limiter.take();
    assert.match(lane.waiting()!, /^cap all: /);
  });
});

describe('a cap of a sender', () => {
  test('its mail in three lanes together never exceeds it, also over restarts; that of another goes at once', async () => {
    await holds({ ...CAP, sender: 'a' });
    assert.deepEqual(
      laneOf(new TwoClocks(), capsOf(new TwoClocks(), new Map(), { ...CAP, sender: 'a' })).capsOf('b'),
      [],
    );
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
    assert.equal(cap!.nextRoomMs(), 6_000 - 20);
    assert.match(lane.waiting('a')!, /^cap all: next message in 6 s$/);
    assert.equal(lane.waiting('b'), undefined);
    clock.advance(6_000);
    assert.equal(cap!.room(5), 1);
    assert.equal(lane.waiting('a'), undefined);
  });
});

describe('what is leased under a cap', () => {
  const rate = '10/1s';
  interface InMemory {
    readonly id: string;
    /** When its session is open (ms). */
    readonly readyAt: number;
  }

  /**
   * Fifty lanes that ask again and again for half a minute, with sessions that take so long to open: what was sent, and
   * the most that was in memory at a time.
   */
  function played(opensAfter: (delivery: number) => number): { sent: number; most: number } {
    const clock = new TwoClocks();
    const caps = capsOf(clock, new Map(), { ...CAP, rate, sender: 'a' });
    const [cap] = caps.of('x').bySender.get('a')!;
    let memory: InMemory[] = [];
    let [number, sent, most] = [0, 0, 0];
    while (clock.passed < 30_000) {
      clock.advance(5);
      for (let lane = 0; lane < 50; lane++) {
        const room = cap!.room(2);
        if (room === 0) break;
        const brought = Array.from({ length: room }, () => ({ id: String(++number) }));
        cap!.requested(room)(brought);
        memory.push(...brought.map(({ id }) => ({ id, readyAt: clock.passed + opensAfter(Number(id)) })));
      }
      most = Math.max(most, memory.length);
      const ready = memory.filter(({ readyAt }) => readyAt <= clock.passed);
      const gone = new Set(
        ready.filter(({ id }) => {
          const limit = cap!.capOf([id]);
          if (limit.waitMs() > 0) return false;
          limit.take();
          return true;
        }),
      );
      sent += gone.size;
      memory = memory.filter((one) => !gone.has(one));
    }
    return { sent, most };
  }

  test('is what has a token at once, however many lanes there are', () => {
    const { sent, most } = played(() => 0);
    assert.ok(sent >= 280, `${sent} of 300`);
    assert.ok(most <= 2, `${most} at a time`);
  });

  test('is more where sessions have to be opened, so that the cap is reached', () => {
    const { sent, most } = played(() => 600);
    assert.ok(sent >= 270, `${sent} of 300`);
    assert.ok(most <= 12, `${most} at a time`);
  });

  test('leaves tokens to the others when hosts do not answer', () => {
    const { sent } = played((delivery) => (delivery % 4 === 0 ? Infinity : 100));
    assert.ok(sent >= 160, `${sent} of 300`);
  });
});
