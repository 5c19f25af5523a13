/** Warm-up plans and caps: what could never work, or has no effect. */
import { formatDuration } from '../core/index.ts';
import { isWritten, type Checked } from './checked.ts';
import type { CapDraft } from './draft.ts';

export function checkWarmupPlans({ draft, report }: Checked): void {
  for (const plan of draft.lists.warmup_plans) {
    const used = draft.lists.nodes.some(({ warmup }) => warmup === plan.name);
    if (!used) report.warn(draft.at(plan), `warm-up plan "${plan.name}" is used by no node`);
    const all: readonly (readonly [readonly number[], readonly string[]])[] = [
      [plan.stages, ['stages']],
      ...Object.entries(plan.isps).map(([isp, stages]) => [stages, ['isps', isp]] as const),
    ];
    for (const [stages, inside] of all) {
      const path = draft.at(plan, ...inside);
      if (stages.length === 0) report.error(path, 'a plan needs stages: write stages: [50, 100, 200]');
      const falls = stages.findIndex((cap, i) => i > 0 && cap < stages[i - 1]!);
      if (falls > 0)
        report.warn([...path, falls], `stage ${falls + 1} is lower than the stage before it: is that meant?`);
    }
  }
}

export function checkCaps(checked: Checked): void {
  for (const cap of checked.draft.lists.caps) checkCap(cap, checked);
}

function checkCap(cap: CapDraft, { draft, report }: Checked): void {
  const { rate, burst } = cap;
  if (!isWritten(report, draft.at(cap, 'rate')) && !isWritten(report, draft.at(cap, 'daily_limit')))
    report.error(
      draft.at(cap),
      `cap "${cap.name}" limits nothing: write rate: 1000/1m or daily_limit: 50000`,
    );
  if (rate && burst > rate.count)
    report.error(
      draft.at(cap, 'burst'),
      `burst ${burst} is more than the ${rate.count} messages of ${formatDuration(rate.perMs)}: write ${rate.count} or less`,
    );
}
