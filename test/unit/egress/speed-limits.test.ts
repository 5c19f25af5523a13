/** The lowest limit decides, and its setting is named. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CapConfig, Places } from '../../../src/config/index.ts';
import { type Limiting, lowestLimit, speedLimits } from '../../../src/mta/egress/speed-limits.ts';
import { noPlaces } from '../../support/places.ts';
import { strategy } from './strategy.ts';

const NOW = 1_000_000;
const STATE = { known: 1, reason: 'no trouble', changedAt: 0, cutAt: 0, holdMs: 0, failed: 0, wallMs: 0 };
const slowed = { ...STATE, perSecond: 0.5, cutReason: '40 % rate_limited: slow down' };
const warmup = {
  ...{ plan: 'new', stage: 1, stages: 4, dailyCap: 100, day: '', delivered: 0, hard: 0, blocked: 0 },
  pausedUntil: 0,
  reason: '',
};
const cap = (wish: Partial<CapConfig>): CapConfig => ({
  name: 'c',
  isp: 'gmail',
  sender: null,
  rate: null,
  burst: 1,
  dailyLimit: null,
  ...wish,
});
const own = strategy({ name: 'own', ratePerInterval: { count: 60, perMs: 60_000 }, dailyLimit: 5000 });
const PLACES: Places = {
  ...noPlaces,
  strategies: { own: { entry: 'a.yaml:1', keys: { rate: 'a.yaml:2' } } },
  caps: { c: { entry: 'a.yaml:7', keys: { rate: 'a.yaml:8', daily_limit: 'a.yaml:9' } } },
};
const BASE: Limiting = {
  places: PLACES,
  ...{ strategy: own, caps: [], isp: 'gmail', now: NOW },
  lane: undefined,
  stopped: undefined,
};

function lowest(wish: Partial<Limiting>, sender = 'shop'): unknown[] {
  const limits = speedLimits({ ...BASE, ...wish });
  const [speed, day] = [lowestLimit(limits, 'perSecond', sender), lowestLimit(limits, 'perDay', sender)];
  return [speed?.value, speed?.setting, day?.value, day?.setting];
}

test('the strategy decides when nothing is lower', () => {
  const loose = cap({ rate: { count: 600, perMs: 60_000 }, dailyLimit: 90_000 });
  assert.deepEqual(lowest({ caps: [loose] }), [1, 'strategy own', 5000, 'strategy own']);
  assert.deepEqual(lowest({ strategy: strategy() }), [undefined, undefined, undefined, undefined]);
});

test('a lowered speed and a warm-up are named with their reason and stage', () => {
  assert.deepEqual(lowest({ lane: { slowed, warmup } }), [
    0.5,
    'slowed down below strategy own: 40 % rate_limited: slow down',
    100,
    'warm-up new, stage 2 of 4',
  ]);
  const paused = { ...warmup, pausedUntil: NOW + 1, reason: '6 % of replies are blocks' };
  const [speed, setting] = lowest({ lane: { slowed, warmup: paused } });
  assert.deepEqual([speed, setting], [0, 'warm-up new, paused: 6 % of replies are blocks']);
  assert.equal(lowest({ now: NOW + 1, lane: { slowed, warmup: paused } })[0], 0.5, 'the pause is over');
});

test('a cap concerns its ISP, and its sender if it names one', () => {
  const rate = { count: 6, perMs: 60_000 };
  assert.equal(lowest({ caps: [cap({ rate })] })[1], 'cap c');
  assert.equal(lowest({ caps: [cap({ rate, isp: 'yahoo' })] })[1], 'strategy own');
  const ofNews = [cap({ rate, dailyLimit: 7, sender: 'news' })];
  assert.deepEqual(lowest({ caps: ofNews }, 'news'), [0.1, 'cap c', 7, 'cap c']);
  assert.deepEqual(lowest({ caps: ofNews }), [1, 'strategy own', 5000, 'strategy own']);
});

test('what is stopped has no speed', () => {
  assert.deepEqual(lowest({ stopped: 'lock l1', lane: { slowed, warmup } }).slice(0, 2), [0, 'lock l1']);
});

test('each limit says where it is written: its key, else its entry', () => {
  const at = (caps: CapConfig[]) => {
    const limits = speedLimits({ ...BASE, caps });
    return (['perSecond', 'perDay'] as const).map((of) => lowestLimit(limits, of, 'shop')?.at);
  };
  assert.deepEqual(at([]), ['a.yaml:2', 'a.yaml:1']);
  assert.deepEqual(at([cap({ rate: { count: 6, perMs: 60_000 }, dailyLimit: 1 })]), ['a.yaml:8', 'a.yaml:9']);
});
