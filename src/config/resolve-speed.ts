/** From draft to snapshot: adaptive speed, warm-up plans and caps. */
import type { CapDraft, PolicyDraft, StrategyDraft, WarmupPlanDraft } from './draft.ts';
import { adaptiveDefaults } from './schema-speed.ts';
import type * as limits from './snapshot-limits.ts';
import type * as snapshot from './snapshot.ts';

const FLOOR_PERCENT = 1;

export function resolveAdaptive(one: StrategyDraft['adaptive']): snapshot.AdaptiveConfig {
  const { step, hold, floor, ...rest } = typeof one === 'boolean' ? adaptiveDefaults() : one;
  const times = { stepMs: step, holdMs: hold };
  return { ...rest, ...times, enabled: one !== false, floor: floor ?? null, floorPercent: FLOOR_PERCENT };
}

export const resolveWarmupPlan = (one: WarmupPlanDraft): snapshot.WarmupPlanConfig => ({
  name: one.name,
  stages: one.stages,
  byIsp: one.isps,
  advanceAt: one.advance_at,
  maxHardBounces: one.max_hard_bounces,
  maxBlocks: one.max_blocks,
  minAttempts: one.min_attempts,
  pauseMs: one.pause,
  overflow: one.overflow,
});

export const resolveCap = (one: CapDraft): limits.CapConfig => ({
  name: one.name,
  isp: one.isp,
  sender: one.sender ?? null,
  rate: one.rate ?? null,
  burst: one.burst,
  dailyLimit: one.daily_limit ?? null,
});

const DAY_MS = 86_400_000;

export const resolvePolicy = ({ days, only, ...one }: PolicyDraft): limits.PolicyConfig => ({
  ...one,
  windowMs: days * DAY_MS,
  only: only ?? null,
});
