/** Strategies, retry rules and nodes: what contradicts itself, or cannot work together. */
import { formatDuration, type Rate } from '../core/index.ts';
import { isWritten, type Checked } from './checked.ts';
import type { NodeDraft, SenderDraft, StrategyDraft } from './draft.ts';
import { startingStrategies } from './resolve-isps.ts';
import { choiceOf, windowOf } from './resolve-sending.ts';

export function checkStrategies(checked: Checked): void {
  const { draft, report } = checked;
  for (const strategy of draft.lists.strategies) {
    const window = windowOf(strategy);
    if (window) {
      checkBurst(strategy, window.count, formatDuration(window.perMs), checked);
      checkFloor(strategy, window, checked);
    }
    if (!window && strategy.burst > 1)
      report.warn(draft.at(strategy, 'burst'), 'has an effect only with rate or interval');
    if (strategy.rate && strategy.interval !== undefined)
      report.warn(draft.at(strategy, 'interval'), 'has no effect because rate is set: remove one of the two');
    if (strategy.connection_attempts > 1 && (strategy.rate || strategy.interval === undefined))
      report.warn(
        draft.at(strategy, 'connection_attempts'),
        'has an effect only with interval and without rate',
      );
  }
}

function checkBurst(
  strategy: StrategyDraft,
  count: number,
  window: string,
  { draft, report }: Checked,
): void {
  const { burst, daily_limit: limit } = strategy;
  if (burst > count)
    report.error(
      draft.at(strategy, 'burst'),
      `burst ${burst} is more than the ${count} messages of ${window}: write ${count} or less`,
    );
  if (limit !== undefined && limit < burst)
    report.error(
      draft.at(strategy, 'daily_limit'),
      `daily_limit ${limit} is less than burst ${burst}: write ${burst} or more, or a smaller burst`,
    );
}

function checkFloor(strategy: StrategyDraft, window: Rate, { draft, report }: Checked): void {
  const floor = typeof strategy.adaptive === 'object' ? strategy.adaptive.floor : undefined;
  if (floor === undefined || floor.count / floor.perMs < window.count / window.perMs) return;
  const speed = `${window.count}/${formatDuration(window.perMs)}`;
  report.error(
    [...draft.at(strategy, 'adaptive'), 'floor'],
    `the floor is not below the ${speed} of the strategy, so nothing could be slowed: write a lower one`,
  );
}

export function checkRetryRules({ draft, report }: Checked): void {
  for (const rule of draft.lists.retry_rules) {
    if (rule.type === 'list' && !isWritten(report, draft.at(rule, 'intervals')))
      report.error(draft.at(rule, 'type'), 'type list needs its waits: write intervals: [5m, 30m, 2h]');
    if (rule.type !== 'list' && rule.intervals.length > 0)
      report.warn(draft.at(rule, 'intervals'), `has no effect with type ${rule.type}: write type: list`);
    const { max_interval: max, interval } = rule;
    if (max !== undefined && rule.type !== 'list' && max < interval)
      report.error(
        draft.at(rule, 'max_interval'),
        `max_interval ${formatDuration(max)} is shorter than interval ${formatDuration(interval)}: write ${formatDuration(interval)} or more`,
      );
  }
}

/** A node has one speed per ISP, whoever sends through it. */
export function checkNodeSpeeds(checked: Checked): void {
  const { draft, report } = checked;
  for (const node of draft.lists.nodes) {
    const users = draft.lists.senders.filter((sender) =>
      sender.nodes.some((share) => share.node === node.name),
    );
    const choices = node.strategies ? [node.strategies] : users.map((sender) => sender.strategies);
    warnAboutSessions(node, new Set(choices.flatMap((choice) => Object.values(choice))), checked);
    if (users.length === 0) report.warn(draft.at(node), `node "${node.name}" is used by no sender`);
    if (!node.strategies) compareSpeeds(node, users, checked);
  }
}

/** What is sent by one strategy or the other, whichever way it is written. */
function speedsOf({ strategies }: SenderDraft, starting: Readonly<Record<string, string>>): string {
  const { default: fallback, ...byIsp } = choiceOf(strategies, starting);
  return JSON.stringify([
    fallback,
    Object.entries(byIsp)
      .filter(([, name]) => name !== fallback)
      .sort(),
  ]);
}

function compareSpeeds(node: NodeDraft, users: readonly SenderDraft[], { draft, report }: Checked): void {
  const [first, ...others] = users;
  const starting = startingStrategies(draft);
  for (const sender of others) {
    if (!first || speedsOf(sender, starting) === speedsOf(first, starting) || sender.name === first.name)
      continue;
    const share = sender.nodes.find((one) => one.node === node.name)!;
    report.error(
      draft.at(share, 'node'),
      `senders "${first.name}" (${report.sources.placeOf(draft.at(first))}) and "${sender.name}" use node ` +
        `"${node.name}" with different strategies, but a node has one speed per ISP: make them equal, or give the ` +
        'node its own strategies',
    );
  }
}

function warnAboutSessions(node: NodeDraft, used: ReadonlySet<string>, { draft, report }: Checked): void {
  for (const strategy of draft.lists.strategies)
    if (used.has(strategy.name) && strategy.concurrent_connections > node.max_sessions)
      report.warn(
        draft.at(strategy, 'concurrent_connections'),
        `${strategy.concurrent_connections} is more than max_sessions ${node.max_sessions} of node "${node.name}", ` +
          'which is what counts there',
      );
}
