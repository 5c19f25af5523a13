/** Which rule of a virtual sender applies to a message: the first that matches; the last one matches all. */
import type {
  VirtualSenderCondition,
  VirtualSenderConfig,
  VirtualSenderRuleConfig,
} from '../config/index.ts';

/** What the rules look at. */
export interface RoutingFacts {
  readonly group: string | undefined;
  readonly fromDomain: string;
  readonly fromEmail: string;
  readonly toDomain: string;
  /** Name of the ISP that the recipient domain is listed under, if it is. */
  readonly isp: string | undefined;
}

export function matchingRule(virtual: VirtualSenderConfig, facts: RoutingFacts): VirtualSenderRuleConfig {
  return (
    virtual.rules.find(({ when }) => when === 'default' || matches(when, facts)) ?? virtual.rules.at(-1)!
  );
}

function matches(when: VirtualSenderCondition, facts: RoutingFacts): boolean {
  return (
    holds(when.group, facts.group) &&
    holds(when.fromDomain, facts.fromDomain) &&
    holds(when.toDomain, facts.toDomain) &&
    holds(when.fromEmail, facts.fromEmail.toLowerCase()) &&
    holds(when.isp, facts.isp)
  );
}

/** An empty condition holds always; otherwise one of its values must be equal, without regard to case. */
const holds = (values: readonly string[], value: string | undefined): boolean =>
  values.length === 0 ||
  (value !== undefined && values.some((wanted) => wanted.toLowerCase() === value.toLowerCase()));
