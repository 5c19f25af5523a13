/** Rules and lock rules: names that exist, consequences that do not contradict each other, no rule for nothing. */
import { shippedPatterns } from '../bounce/index.ts';
import { formatDuration } from '../core/index.ts';
import { firstWait, retryRule } from './check-senders.ts';
import type { Checked } from './checked.ts';
import type { RuleDraft } from './draft.ts';
import { instead, type Path } from './problem.ts';

/** What events call a domain of no ISP, and one whose hosts are not known. */
const NO_ISP: readonly string[] = ['other', 'unresolved'];

type When = RuleDraft['when'];

export function checkRules(checked: Checked): void {
  const { draft } = checked;
  for (const rule of draft.lists.rules) {
    checkWhen(rule, checked);
    checkThen(rule, checked);
  }
  const whole = draft.lists.rules.filter((rule) => isWhole(rule, checked));
  for (const [i, rule] of whole.entries()) checkReached(rule, whole.slice(0, i), checked);
}

export function checkLockRules({ draft, report }: Checked): void {
  for (const rule of draft.lists.lock_rules) {
    const { max_duration: max, duration, escalate } = rule;
    if (max !== undefined && max < duration)
      report.error(
        draft.at(rule, 'max_duration'),
        `max_duration ${formatDuration(max)} is shorter than duration ${formatDuration(duration)}: write ${formatDuration(duration)} or more`,
      );
    if (max !== undefined && escalate === 1 && max > duration)
      report.warn(
        draft.at(rule, 'max_duration'),
        'has no effect with escalate 1: write escalate: 2, or remove it',
      );
    if (rule.scope === 'sender_isp' && rule.waiting === 'move')
      report.error(
        draft.at(rule, 'waiting'),
        'scope sender_isp locks all nodes of the sender, so there is none to move to: write waiting: wait',
      );
    if (rule.scope === 'isp' && rule.waiting === 'move')
      report.error(
        draft.at(rule, 'waiting'),
        'scope isp locks the ISP for all nodes, so there is none to move to: write waiting: wait',
      );
  }
}

function checkWhen(rule: RuleDraft, { draft, report, names }: Checked): void {
  if (rule.when === 'default') return;
  const path = draft.at(rule, 'when');
  if (Object.keys(report.sources.at(path) as object).length === 0)
    report.error(path, 'a rule without conditions matches everything: write when: default');
  const known = { isp: [...names('isps'), ...NO_ISP], sender: names('senders') } as const;
  for (const [key, what] of [
    ['isp', 'ISP'],
    ['sender', 'sender'],
  ] as const)
    for (const [i, name] of (rule.when[key] ?? []).entries())
      if (!name.includes('*') && !known[key].includes(name))
        report.error(
          valuePath(draft.at(rule, 'when', key), i, report.sources.at(draft.at(rule, 'when', key))),
          `unknown ${what} "${name}"${instead(name, known[key], what)}`,
        );
  checkPatternNames(rule, { draft, report, names });
}

/** A pattern that is not there may be one of an earlier version, so that is no reason not to start. */
function checkPatternNames(rule: RuleDraft, { draft, report, names }: Checked): void {
  if (rule.when === 'default' || !rule.when.pattern) return;
  const path = draft.at(rule, 'when', 'pattern');
  const known = [...names('bounce_patterns'), ...shippedPatterns().map(({ name }) => name)];
  for (const [i, name] of rule.when.pattern.entries())
    if (!known.some((one) => coversValue('pattern', name, one)))
      report.warn(
        valuePath(path, i, report.sources.at(path)),
        `unknown bounce pattern "${name}", which no reply matches${instead(name, known, 'bounce pattern')}`,
      );
}

/** One value may stand without the brackets of a list. */
const valuePath = (path: Path, i: number, written: unknown): Path =>
  Array.isArray(written) ? [...path, i] : path;

function checkThen(rule: RuleDraft, checked: Checked): void {
  const { draft, report, names } = checked;
  const { retry, lock, fail, stop_list: stopList } = rule.then;
  const at = (key: string): Path => draft.at(rule, 'then', key);
  if (retry !== undefined && !names('retry_rules').includes(retry))
    report.error(
      at('retry'),
      `unknown retry rule "${retry}"${instead(retry, names('retry_rules'), 'retry rule')}`,
    );
  if (lock !== undefined && !names('lock_rules').includes(lock))
    report.error(at('lock'), `unknown lock rule "${lock}"${instead(lock, names('lock_rules'), 'lock rule')}`);
  if (retry === undefined) return;
  if (fail) report.error(at('fail'), 'fail ends the delivery, but retry tries again: remove one of the two');
  if (stopList)
    report.error(
      at('stop_list'),
      'stop_list is for addresses that are not mailed again, but retry tries again: remove one of the two',
    );
  checkRetryInTime(rule, retry, checked);
}

/** A wait that no sender's mail lives through. Where it is too long for some senders only, that may be meant. */
function checkRetryInTime(rule: RuleDraft, name: string, { draft, report }: Checked): void {
  const retry = retryRule(draft, name);
  if (!retry || retry.attempts < 2) return;
  const only = rule.when === 'default' ? undefined : rule.when.sender;
  const longest = draft.lists.senders
    .filter((sender) => !only || only.some((one) => coversValue('sender', one, sender.name)))
    .reduce((most, { lifetime }) => Math.max(most, lifetime), 0);
  if (longest === 0 || firstWait(retry) < longest) return;
  const wait = formatDuration(firstWait(retry));
  report.error(
    draft.at(rule, 'then', 'retry'),
    `retry rule "${name}" waits ${wait}, but the mail that this rule is for lives ${formatDuration(longest)} at most, so ` +
      `there would be no second attempt: write another retry rule, a shorter interval, or a lifetime above ${wait}`,
  );
}

/** Conditions that were refused for an error of their own are missing here: the rule would seem wider than it is. */
function isWhole(rule: RuleDraft, { draft, report }: Checked): boolean {
  if (rule.when === 'default') return true;
  const written = Object.keys(report.sources.at(draft.at(rule, 'when')) as object).length;
  return written > 0 && written === Object.values(rule.when).filter((one) => one !== undefined).length;
}

/** A rule that an earlier one leaves nothing for. */
function checkReached(rule: RuleDraft, before: readonly RuleDraft[], { draft, report }: Checked): void {
  const first = before.find(({ when }) => covers(when, rule.when));
  if (!first) return;
  const place = report.sources.placeOf(draft.at(first));
  const what = first.when === 'default' ? 'matches everything' : 'matches all that this one does';
  report.error(
    draft.at(rule),
    `this rule is never reached, because the rule at ${place} comes first and ${what}: move this one before it, or remove it`,
  );
}

function covers(wide: When, narrow: When): boolean {
  if (wide === 'default') return true;
  if (narrow === 'default') return false;
  const keys = Object.keys(wide) as (keyof typeof wide)[];
  return keys.every((key) => {
    const [outer, inner] = [wide[key], narrow[key]];
    if (outer === undefined) return true;
    return inner !== undefined && inner.every((one) => outer.some((other) => coversValue(key, other, one)));
  });
}

/** `*` covers any text, `x` any digit; what differs otherwise is taken for different. */
function coversValue(key: string, outer: string, inner: string): boolean {
  if (outer === inner) return true;
  if (key === 'code') return [...outer].every((digit, i) => digit === 'x' || digit === inner[i]);
  if (!outer.includes('*')) return false;
  const parts = outer.split('*').map((part) => part.replaceAll(/[.\\+?^${}()|[\]]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`).test(inner);
}
