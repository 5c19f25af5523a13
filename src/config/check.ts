/**
 * Checks between keys, after every value was read on its own: names that refer to other entries, sums, contradictions.
 * Each check sees all of the draft and reports what it finds; none stops another.
 */
import { checkBouncePatterns } from './check-bounces.ts';
import { checkMx } from './check-mx.ts';
import { checkAddresses } from './check-network.ts';
import { checkIsps, checkNames, checkReferences } from './check-names.ts';
import { checkLockRules, checkRules } from './check-rules.ts';
import { checkSenders } from './check-senders.ts';
import { checkCaps, checkWarmupPlans } from './check-speed.ts';
import { checkNodeSpeeds, checkRetryRules, checkStrategies } from './check-sending.ts';
import type { Checked } from './checked.ts';
import { checkVirtualSenders } from './check-virtual-senders.ts';
import type { Draft } from './draft.ts';
import type { Report } from './report.ts';
import type { lists } from './schema.ts';
import { shippedIsps, shippedRules, shippedStrategies } from './shipped.ts';

const CHECKS: readonly ((checked: Checked) => void)[] = [
  checkNames,
  checkReferences,
  checkIsps,
  checkStrategies,
  checkRetryRules,
  checkLockRules,
  checkRules,
  checkSenders,
  checkNodeSpeeds,
  checkWarmupPlans,
  checkCaps,
  checkVirtualSenders,
  checkAddresses,
  checkBouncePatterns,
  checkMx,
];

export function checkDraft(draft: Draft, report: Report): void {
  const names = (list: keyof typeof lists): readonly string[] => declaredNames(list, draft, report);
  for (const check of CHECKS) check({ draft, report, names });
}

function declaredNames(list: keyof typeof lists, { settings }: Draft, report: Report): readonly string[] {
  const entries = report.sources.at([list]);
  const names = new Set<string>();
  for (const entry of Array.isArray(entries) ? (entries as unknown[]) : []) {
    const name = (entry as { name?: unknown } | null)?.name;
    if (typeof name === 'string' || typeof name === 'number') names.add(String(name));
  }
  if (list === 'strategies') for (const one of shippedStrategies()) names.add(one.name);
  if (list === 'isps' && settings.shipped_isps) for (const one of shippedIsps().isps) names.add(one.name);
  if (list === 'retry_rules') for (const one of shippedRules().retry_rules) names.add(one.name);
  if (list === 'lock_rules') for (const one of shippedRules().lock_rules) names.add(one.name);
  return [...names];
}
