/** Rules and lock rules as the snapshot has them. */
import type { LockRuleConfig, RuleConfig, RuleThen, RuleWhen } from '../../../src/config/index.ts';

const ANY: RuleWhen = {
  isp: [],
  sender: [],
  class: [],
  category: [],
  code: [],
  enhanced: [],
  pattern: [],
  phase: [],
};
const NOTHING: RuleThen = {
  retry: null,
  lock: null,
  slowDown: null,
  stopList: false,
  fail: false,
  alert: false,
};

interface Wish {
  readonly name?: string;
  readonly when?: Partial<RuleWhen>;
  readonly then?: Partial<RuleThen>;
  readonly shipped?: boolean;
}

export const ruleOf = ({ name = 'r', when, then, shipped = false }: Wish): RuleConfig => ({
  name,
  when: { ...ANY, ...when },
  then: { ...NOTHING, ...then },
  shipped,
});

export const lockRule = (wish: Partial<LockRuleConfig> = {}): LockRuleConfig => ({
  name: 'blocked',
  scope: 'node_isp',
  durationMs: 60_000,
  escalate: 2,
  maxDurationMs: 600_000,
  threshold: { count: 1, perMs: 60_000 },
  waiting: 'wait',
  ...wish,
});
