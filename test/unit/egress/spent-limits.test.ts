/** What the store may forget of limits: nothing that a window, a day or a lane in memory could still ask for. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Limiter, type LimiterOptions } from '../../../src/mta/egress/limiter.ts';
import { type LimitsInUse, spentLimits } from '../../../src/mta/egress/spent-limits.ts';
import { createFakeClock } from '../../support/fake-clock.ts';
import { configured, type Settings } from './configured.ts';

const DAY = 86_400_000;
const MINUTE = { count: 10, perMs: 60_000 };
const HOURLY: LimiterOptions = { rate: MINUTE, burst: 1, dailyLimit: 100, timezone: 'UTC' };
const SETTINGS: Settings = {
  nodes: [{ name: 'n1', address: '192.0.2.1', hostname: 'n1.test' }],
  strategies: [{ name: 'free', rate: '100/1m' }],
  senders: [{ name: 'promo', nodes: [{ node: 'n1' }], strategies: { default: 'free' } }],
};

interface Case {
  readonly key?: string;
  readonly options?: Partial<LimiterOptions>;
  /** Tokens that were reserved for what may still have been sent. */
  readonly reserved?: number;
  readonly more?: (now: number) => object;
  readonly settings?: Settings;
  readonly use?: Partial<LimitsInUse>;
  /** Days that pass, and by how many the wall clock is set. */
  readonly days: number;
  readonly set?: number;
}

function isSpent({
  key = 'n1\0mx:mx.test',
  options,
  reserved = 0,
  more,
  settings,
  use,
  days,
  set = 0,
}: Case): boolean {
  const clock = { ...createFakeClock(), boot: { id: 'this', originMs: 0 } };
  const limiter = new Limiter(clock, { ...HOURLY, ...options });
  limiter.take();
  const mark = limiter.mark(reserved);
  const value = key.startsWith('campaign')
    ? { limiter: mark, start: 0, used: 1 }
    : { ...mark, ...more?.(clock.now()) };
  clock.advance(days * DAY);
  clock.step(set * DAY);
  const config = configured({ ...SETTINGS, ...settings });
  const none = { hasLane: () => false, hasCap: () => false, hasCampaign: () => false };
  return spentLimits({ clock, config, since: 0, ...none, ...use })({ key, value });
}

const slowed = (days: number) => (now: number) => ({ slowed: { changedAt: now + days * DAY } });
const warmup = (): object => ({ warmup: { stage: 3 } });
const isp = configured(SETTINGS).isps[0]!.name;

describe('a mark of a limit', () => {
  const table: Readonly<Record<string, readonly [Case, boolean]>> = {
    'of days that are over': [{ days: 6 }, true],
    'of days that a clock set back may ask for': [{ days: 4 }, false],
    'of a rate with a longer window': [
      { options: { rate: { count: 10, perMs: 30 * DAY } }, days: 29 },
      false,
    ],
    'of such a rate, later': [{ options: { rate: { count: 10, perMs: 30 * DAY } }, days: 34 }, true],
    'while a strategy has a longer window': [
      { settings: { strategies: [{ name: 'free', rate: '10/30d' }] }, days: 29 },
      false,
    ],
    'of a day that is still to come': [{ days: 6, set: -7 }, false],
    'with tokens that may have been spent until the start': [
      { reserved: 1, days: 6, use: { since: 6 * DAY } },
      false,
    ],
    'with such tokens, a window later': [{ reserved: 1, days: 6, use: { since: 6 * DAY - 60_000 } }, true],
    'with a speed that was lowered lately': [{ more: slowed(2), days: 6 }, false],
    'with a speed that was lowered long ago': [{ more: slowed(0), days: 6 }, true],
    'with a warm-up': [{ more: warmup, days: 89 }, false],
    'with a warm-up of a quarter of a year ago': [{ more: warmup, days: 91 }, true],
    'with a warm-up towards a configured ISP': [{ key: `n1\0isp:${isp}`, more: warmup, days: 400 }, false],
    'with that of a node that is gone': [{ key: `old\0isp:${isp}`, more: warmup, days: 91 }, true],
    'of a lane in memory': [
      { days: 400, use: { hasLane: (node, lane) => node === 'n1' && lane === 'mx:mx.test' } },
      false,
    ],
    'of a cap': [{ key: 'cap\0all', days: 400, use: { hasCap: (name) => name === 'all' } }, false],
    'of a cap that is gone': [{ key: 'cap\0all', days: 6 }, true],
    'of a campaign with limits': [
      {
        key: 'campaign\0shop\0spring',
        days: 400,
        use: { hasCampaign: (...name) => name.join() === 'shop,spring' },
      },
      false,
    ],
    'of a campaign without': [{ key: 'campaign\0shop\0spring', days: 6 }, true],
  };
  for (const [what, [given, spent]] of Object.entries(table))
    test(`${what} is ${spent ? 'forgotten' : 'kept'}`, () => assert.equal(isSpent(given), spent));
});
