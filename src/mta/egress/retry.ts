/** When the next attempt is due. `attempt` counts from 1 and is the one that just failed. */
import type { RetryRuleConfig } from '../../config/index.ts';

export type RetryRule = RetryRuleConfig;

/**
 * `delay` ms after `now` or a little later, so that retries of a queue that fall due near each other wake it once and
 * are leased together.
 */
export function retryAt(now: number, delay: number): number {
  const step = delay >= 20_000 ? 1_000 : delay >= 1_000 ? 50 : 1;
  return Math.ceil((now + delay) / step) * step;
}

/** ms from the failed attempt to the next one; undefined when the attempts are used up. `random` is in [0, 1). */
export function retryDelayMs(rule: RetryRule, attempt: number, random: () => number): number | undefined {
  if (attempt >= rule.attempts) return undefined;
  const delay = {
    fixed: () => rule.intervalMs,
    geometric: () => rule.intervalMs * rule.exponent ** (attempt - 1),
    random: () => rule.intervalMs * (1 + random() * rule.modifier),
    list: () => rule.intervalsMs[Math.min(attempt, rule.intervalsMs.length) - 1] ?? rule.intervalMs,
  }[rule.type]();
  return Math.round(Math.min(delay, rule.maxIntervalMs));
}
