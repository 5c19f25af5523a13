/** Virtual senders: shares that sum to 100, a default rule at the end, no rule that cannot be reached. */
import { isWritten, type Checked } from './checked.ts';
import type { VirtualSenderDraft } from './draft.ts';
import type { Path } from './problem.ts';
import type { Report } from './report.ts';

type Rule = VirtualSenderDraft['rules'][number];

export function checkVirtualSenders(checked: Checked): void {
  const { draft, report } = checked;
  for (const one of draft.lists.virtual_senders) {
    checkDefault(one, checked);
    for (const rule of one.rules) {
      checkShares(rule, checked);
      if (rule.when !== 'default' && Object.values(rule.when).every((values) => values === undefined))
        checkEmptyCondition(draft.at(rule, 'when'), report);
    }
  }
}

/** Conditions that were refused for an error of their own do not count as none. */
function checkEmptyCondition(path: Path, report: Report): void {
  if (Object.keys(report.sources.at(path) as object).length === 0)
    report.error(path, 'a rule without conditions matches everything: write when: default');
}

/** Whether every entry that is written could be read; if not, sums and orders would be wrong for that reason alone. */
const isComplete = (path: Path, read: readonly unknown[], report: Report): boolean => {
  const written = report.sources.at(path);
  return !Array.isArray(written) || written.length === read.length;
};

/** The default rule is required and last: every message finds a sender, and no rule stands behind it for nothing. */
function checkDefault(one: VirtualSenderDraft, { draft, report }: Checked): void {
  const path = draft.at(one, 'rules');
  const first = one.rules.find((rule) => rule.when === 'default');
  if (!first) {
    const write = 'write - { when: default, senders: [{sender: NAME, percent: 100}] } as the last rule';
    if (isComplete(path, one.rules, report))
      report.error(path, `virtual sender "${one.name}" has no default rule: ${write}`);
    return;
  }
  const place = report.sources.placeOf(draft.at(first));
  for (const rule of one.rules.slice(one.rules.indexOf(first) + 1)) {
    const again = rule.when === 'default';
    const what = again ? 'a second default rule' : 'this rule';
    const remedy = again ? 'remove it' : 'move the default rule to the end';
    const message = `${what} is never reached, because the default rule at ${place} comes first: ${remedy}`;
    report.error(draft.at(rule), message);
  }
}

// Shares are written by people: 33.3 + 33.3 + 33.4 is 100 although binary fractions say otherwise.
const TOLERANCE = 1e-6;

function checkShares(rule: Rule, { draft, report }: Checked): void {
  const path = draft.at(rule, 'senders');
  if (!isWritten(report, path))
    report.error(path, 'a rule needs at least one sender: write senders: [{sender: NAME, percent: 100}]');
  if (rule.senders.length === 0 || !isComplete(path, rule.senders, report)) return;
  const sum = rule.senders.reduce((total, share) => total + share.percent, 0);
  if (Math.abs(sum - 100) <= TOLERANCE) return;
  if (rule.senders.length === 1) {
    report.error(
      draft.at(rule.senders[0]!, 'percent'),
      `the only sender of a rule gets ${sum} percent: write 100`,
    );
    return;
  }
  const shares = rule.senders.map((share) => share.percent).join(' + ');
  report.error(
    path,
    `the percentages sum to ${Number(sum.toFixed(6))} (${shares}), not to 100: change the shares`,
  );
}
