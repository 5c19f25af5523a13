import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { dayAt } from '../../../src/core/index.ts';
import { Limiter, type LimiterMark, type LimiterOptions } from '../../../src/mta/egress/limiter.ts';
import { TwoClocks } from './two-clocks.ts';

const HOUR = 3_600_000;

describe('dayAt', () => {
  const cases: readonly (readonly [string, string, string, string, string])[] = [
    ['an ordinary day', 'UTC', '2026-11-21T12:00:00Z', '2026-11-21', '2026-11-22T00:00:00Z'],
    ['its first moment', 'UTC', '2026-11-21T00:00:00Z', '2026-11-21', '2026-11-22T00:00:00Z'],
    ['its last moment', 'UTC', '2026-11-20T23:59:59.999Z', '2026-11-20', '2026-11-21T00:00:00Z'],
    ['Berlin in winter', 'Europe/Berlin', '2026-01-10T23:30:00Z', '2026-01-11', '2026-01-11T23:00:00Z'],
    ['Berlin, 23 hours', 'Europe/Berlin', '2026-03-28T23:00:00Z', '2026-03-29', '2026-03-29T22:00:00Z'],
    ['Berlin, 25 hours', 'Europe/Berlin', '2026-10-24T22:00:00Z', '2026-10-25', '2026-10-25T23:00:00Z'],
    ['Berlin, the hour again', 'Europe/Berlin', '2026-10-25T01:30:00Z', '2026-10-25', '2026-10-25T23:00:00Z'],
    ['New York, 23 hours', 'America/New_York', '2026-03-08T05:00:00Z', '2026-03-08', '2026-03-09T04:00:00Z'],
    ['New York, 25 hours', 'America/New_York', '2026-11-01T04:00:00Z', '2026-11-01', '2026-11-02T05:00:00Z'],
    ['half an hour off', 'Asia/Kolkata', '2026-05-05T18:29:59Z', '2026-05-05', '2026-05-05T18:30:00Z'],
    ['a new year', 'Asia/Tokyo', '2026-12-31T15:00:00Z', '2027-01-01', '2027-01-01T15:00:00Z'],
  ];
  for (const [what, zone, time, name, end] of cases) {
    test(what, () => {
      const day = dayAt(Date.parse(time), zone);
      assert.deepEqual(day, { name, endsAt: Date.parse(end) });
    });
  }
});

type Step =
  | { readonly kind: 'send'; readonly n: number }
  | { readonly kind: 'pause'; readonly ms: number }
  | { readonly kind: 'set clock'; readonly ms: number }
  | { readonly kind: 'restart' };

const life: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    {
      arbitrary: fc.record({ kind: fc.constant('send' as const), n: fc.integer({ min: 1, max: 6 }) }),
      weight: 3,
    },
    fc.record({ kind: fc.constant('pause' as const), ms: fc.nat(30 * HOUR) }),
    fc.record({
      kind: fc.constant('set clock' as const),
      ms: fc.integer({ min: -30 * HOUR, max: 30 * HOUR }),
    }),
    fc.constant({ kind: 'restart' } as const),
  ),
  { maxLength: 40 },
);

const DAILY: LimiterOptions = { rate: null, burst: 1, dailyLimit: 5, timezone: 'UTC' };

describe('limiter: days', () => {
  test('no calendar day has more than the limit, however the clock is set, also across restarts', () => {
    const zone = fc.constantFrom('UTC', 'Europe/Berlin', 'America/New_York', 'Pacific/Chatham');
    const start = fc.integer({ min: Date.UTC(2026, 2, 27), max: Date.UTC(2026, 10, 2) });
    fc.assert(
      fc.property(zone, start, life, (timezone, wall, steps) => {
        const clock = new TwoClocks(wall);
        const options = { ...DAILY, timezone };
        const days = new Map<string, number>();
        let limiter = new Limiter(clock, options);
        let stored: LimiterMark | undefined;
        for (const step of steps) {
          if (step.kind === 'pause') clock.advance(step.ms);
          else if (step.kind === 'set clock') clock.step(step.ms);
          else if (step.kind === 'restart') limiter = new Limiter(clock, options, stored);
          else {
            stored = limiter.mark(step.n);
            for (let i = 0; i < step.n && limiter.waitMs() === 0; i++) {
              limiter.take();
              const { name } = dayAt(clock.now(), timezone);
              days.set(name, (days.get(name) ?? 0) + 1);
            }
          }
        }
        for (const [name, count] of days) assert.ok(count <= 5, `${count} on ${name}`);
      }),
      { numRuns: 300 },
    );
  });

  test('a full day waits for its end and then gives the whole limit', () => {
    const clock = new TwoClocks(Date.parse('2026-10-24T21:00:00Z'));
    const limiter = new Limiter(clock, { ...DAILY, timezone: 'Europe/Berlin' });
    for (let i = 0; i < 5; i++) limiter.take();
    assert.equal(limiter.waitMs(), HOUR);
    clock.advance(HOUR);
    assert.equal(limiter.waitMs(5), 0);
    for (let i = 0; i < 5; i++) limiter.take();
    assert.equal(limiter.waitMs(), 25 * HOUR, 'the day on which the clocks go back is longer');
  });

  test('a wrong clock that is put right gives the day nothing twice', () => {
    const clock = new TwoClocks();
    const limiter = new Limiter(clock, DAILY);
    for (let i = 0; i < 4; i++) limiter.take();
    clock.step(24 * HOUR);
    limiter.take();
    clock.step(-24 * HOUR);
    assert.ok(limiter.waitMs() > 0);
    clock.advance(24 * HOUR);
    assert.equal(limiter.waitMs(4), 0, 'on the next day one is used');
    assert.ok(limiter.waitMs(5) > 0);
  });

  test('what was reserved and perhaps not sent counts for its day, not for the next one', () => {
    const clock = new TwoClocks();
    const mark = new Limiter(clock, DAILY).mark(4);
    assert.equal(new Limiter(clock, DAILY, mark).waitMs(1), 0);
    assert.equal(new Limiter(clock, DAILY, mark).waitMs(2), 12 * HOUR);
    clock.advance(12 * HOUR);
    assert.equal(new Limiter(clock, DAILY, mark).waitMs(5), 0);
  });

  test('another time zone applies at once', () => {
    const clock = new TwoClocks(Date.parse('2026-05-05T12:00:00Z'));
    const limiter = new Limiter(clock, DAILY);
    limiter.configure({ ...DAILY, timezone: 'Asia/Tokyo' });
    for (let i = 0; i < 5; i++) limiter.take();
    assert.equal(limiter.waitMs(), 3 * HOUR);
  });
});
