/** The rules of the configuration, ready to be asked: the first one that matches a refusal decides. */
import type { RuleConfig, RuleWhen } from '../../config/index.ts';
import type { Bounce, Refusal } from '../../core/index.ts';

export interface RuleFacts {
  /** Name of the ISP; `other` for a domain of none, `unresolved` for one whose hosts are not known. */
  readonly isp: string;
  readonly sender: string;
  readonly refusal: Refusal;
  readonly bounce: Bounce;
}

type Test = (facts: RuleFacts) => boolean;

export class RuleBook {
  readonly #rules: readonly { readonly rule: RuleConfig; readonly tests: readonly Test[] }[];

  constructor(rules: readonly RuleConfig[]) {
    this.#rules = rules.map((rule) => ({ rule, tests: testsOf(rule.when) }));
  }

  find(facts: RuleFacts): RuleConfig | undefined {
    return this.#rules.find(({ tests }) => tests.every((test) => test(facts)))?.rule;
  }
}

/** What a condition looks at; undefined (nothing was said, no pattern matched) meets no condition. */
const VALUES: { readonly [K in keyof RuleWhen]: (facts: RuleFacts) => string | undefined } = {
  isp: ({ isp }) => isp,
  sender: ({ sender }) => sender,
  class: ({ bounce }) => bounce.class,
  category: ({ bounce }) => bounce.category,
  code: ({ refusal }) => refusal.reply && String(refusal.reply.code),
  enhanced: ({ refusal }) => refusal.reply?.enhanced,
  pattern: ({ bounce }) => bounce.pattern,
  phase: ({ refusal }) => refusal.phase,
};

function testsOf(when: RuleWhen): Test[] {
  return (Object.keys(VALUES) as (keyof RuleWhen)[])
    .filter((key) => when[key].length > 0)
    .map((key) => {
      const matches = matcher(when[key], key === 'code' ? 'x' : '*');
      const value = VALUES[key];
      return (facts) => {
        const found = value(facts);
        return found !== undefined && matches(found);
      };
    });
}

/** `x` stands for one digit, `*` for any part of a name or for one number of an enhanced code. */
function matcher(wanted: readonly string[], joker: 'x' | '*'): (value: string) => boolean {
  const exact = new Set(wanted);
  const patterns = wanted.filter((one) => one.includes(joker) && (joker === '*' || /^\d/.test(one)));
  if (patterns.length === 0) return (value) => exact.has(value);
  const any = joker === 'x' ? '\\d' : '.*';
  const text = patterns.map((one) => one.split(joker).map(escape).join(any)).join('|');
  const expression = new RegExp(`^(?:${text})$`);
  return (value) => exact.has(value) || expression.test(value);
}

const escape = (text: string): string => text.replaceAll(/[.\\+?^${}()|[\]]/g, '\\$&');
