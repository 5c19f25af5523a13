/** From draft to snapshot: retry rules, lock rules and rules, the shipped ones behind those of the configuration. */
import type { Draft, LockRuleDraft, RetryRuleDraft, RuleDraft } from './draft.ts';
import { shippedRules, withShipped } from './shipped.ts';
import type * as snapshot from './snapshot.ts';

const DEFAULT_MAX_INTERVAL_MS = 4 * 3600e3;
const DEFAULT_MAX_LOCK_MS = 12 * 3600e3;

export type Rules = Pick<snapshot.Config, 'retryRules' | 'lockRules' | 'rules' | 'shippedRules'>;

/** Only for a draft without errors: every reference finds its entry. */
export function resolveRules({ lists, settings }: Draft): Rules {
  const shipped = shippedRules();
  const retryRules = withShipped(lists.retry_rules, shipped.retry_rules).map(resolveRetryRule);
  const lockRules = withShipped(lists.lock_rules, shipped.lock_rules).map(resolveLockRule);
  const resolve = resolver(byName(retryRules), byName(lockRules));
  const own = lists.rules.map((rule, i) => resolve(rule, `rule-${i + 1}`, false));
  const brought = shipped.rules.map((rule, i) => resolve(rule, `shipped-${i + 1}`, true));
  const shippedRulesOn = settings.shipped_rules;
  return {
    retryRules,
    lockRules,
    rules: shippedRulesOn ? [...own, ...brought] : own,
    shippedRules: shippedRulesOn,
  };
}

const byName = <T extends { readonly name: string }>(list: readonly T[]): ReadonlyMap<string, T> =>
  new Map(list.map((one) => [one.name, one]));

function resolver(
  retryRules: ReadonlyMap<string, snapshot.RetryRuleConfig>,
  lockRules: ReadonlyMap<string, snapshot.LockRuleConfig>,
) {
  return ({ name, when, then }: RuleDraft, place: string, shipped: boolean): snapshot.RuleConfig => ({
    name: name ?? place,
    when: resolveWhen(when),
    then: {
      retry: then.retry === undefined ? null : retryRules.get(then.retry)!,
      lock: then.lock === undefined ? null : lockRules.get(then.lock)!,
      slowDown: then.slow_down ?? null,
      stopList: then.stop_list,
      fail: then.fail,
      alert: then.alert,
    },
    shipped,
  });
}

function resolveWhen(when: RuleDraft['when']): snapshot.RuleWhen {
  const given = when === 'default' ? {} : when;
  return {
    isp: given.isp ?? [],
    sender: given.sender ?? [],
    class: given.class ?? [],
    category: given.category ?? [],
    code: given.code ?? [],
    enhanced: given.enhanced ?? [],
    pattern: given.pattern ?? [],
    phase: given.phase ?? [],
  };
}

function resolveRetryRule(one: RetryRuleDraft): snapshot.RetryRuleConfig {
  return {
    name: one.name,
    attempts: one.attempts,
    type: one.type,
    intervalMs: one.interval,
    exponent: one.exponent,
    modifier: one.modifier,
    intervalsMs: one.intervals,
    maxIntervalMs: one.max_interval ?? Math.max(DEFAULT_MAX_INTERVAL_MS, one.interval),
    mode: one.mode,
  };
}

function resolveLockRule(one: LockRuleDraft): snapshot.LockRuleConfig {
  return {
    name: one.name,
    scope: one.scope,
    durationMs: one.duration,
    escalate: one.escalate,
    maxDurationMs: one.max_duration ?? Math.max(DEFAULT_MAX_LOCK_MS, one.duration),
    threshold: one.threshold,
    waiting: one.waiting,
  };
}
