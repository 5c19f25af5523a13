/** Senders: nodes to send from, one key per DNS record, a lifetime that leaves room for a second attempt. */
import { formatDuration } from '../core/index.ts';
import { isWritten, Unique, type Checked } from './checked.ts';
import type { RetryRuleDraft, SenderDraft } from './draft.ts';
import { shippedRules } from './shipped.ts';

export function checkSenders(checked: Checked): void {
  const { draft, report } = checked;
  for (const sender of draft.lists.senders) {
    checkNodes(sender, checked);
    checkKeys(sender, checked);
    checkLifetime(sender, checked);
  }
  if (!isWritten(report, ['senders']))
    report.warn([], 'no sender is defined, so nothing can be delivered: write senders: and nodes:');
}

function checkNodes(sender: SenderDraft, { draft, report }: Checked): void {
  const path = draft.at(sender, 'nodes');
  if (!isWritten(report, path))
    report.error(path, 'a sender needs at least one node: write nodes: [{node: n1, weight: 1}]');
  const unique = new Unique(report);
  for (const share of sender.nodes) {
    const message = (place: string): string => `node "${share.node}" is already in this sender at ${place}`;
    unique.add(share.node, draft.at(share, 'node'), message);
  }
  const off = draft.lists.nodes.filter((node) => !node.enabled).map((node) => node.name);
  if (sender.nodes.length > 0 && sender.nodes.every((share) => off.includes(share.node)))
    report.warn(path, `every node of sender "${sender.name}" has enabled: false, so its mail waits`);
}

/** RFC 6376 §3.6.1: domain and selector name one DNS record, so one key. */
function checkKeys(sender: SenderDraft, { draft, report }: Checked): void {
  const unique = new Unique(report);
  for (const key of sender.dkim) {
    const { domain, selector } = key;
    unique.add(`${selector}._domainkey.${domain}`, draft.at(key, 'selector'), (place) => {
      return `a key with selector "${selector}" of ${domain} is already at ${place}: give the second key its own selector`;
    });
  }
}

/** The wait before the second attempt, at its shortest. */
export const firstWait = (rule: RetryRuleDraft): number =>
  rule.type === 'list' && rule.intervals.length > 0 ? rule.intervals[0]! : rule.interval;

/** The rule of this name: written, or shipped. */
export const retryRule = (draft: Checked['draft'], wanted: string): RetryRuleDraft | undefined =>
  [...draft.lists.retry_rules, ...shippedRules().retry_rules].find(({ name }) => name === wanted);

function checkLifetime(sender: SenderDraft, { draft, report }: Checked): void {
  const wanted = sender.retry ?? 'default';
  const rule = retryRule(draft, wanted);
  const lifetime = formatDuration(sender.lifetime);
  if (rule && rule.attempts > 1 && firstWait(rule) >= sender.lifetime) {
    const key = isWritten(report, draft.at(sender, 'lifetime')) ? 'lifetime' : 'retry';
    const wait = formatDuration(firstWait(rule));
    report.error(
      draft.at(sender, key),
      `retry rule "${rule.name}" waits ${wait}, but the lifetime is ${lifetime}, so there would be no second attempt: ` +
        `write a lifetime above ${wait} or a shorter interval`,
    );
  }
  const kept = draft.settings.history_retention;
  if (kept < sender.lifetime)
    report.warn(
      ['history_retention'],
      `${formatDuration(kept)} is shorter than the lifetime ${lifetime} of sender "${sender.name}": late reports about ` +
        'its mail would find nothing',
    );
}
