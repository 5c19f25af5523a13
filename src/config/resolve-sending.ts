/** From draft to snapshot: strategies, nodes, ISPs, senders and virtual senders. */
import type { Rate } from '../core/index.ts';
import type { Draft, NodeDraft, SenderDraft, StrategyDraft, VirtualSenderDraft } from './draft.ts';
import { startingStrategies } from './resolve-isps.ts';
import { resolveRules, type Rules } from './resolve-rules.ts';
import { resolveAdaptive, resolveCap, resolvePolicy, resolveWarmupPlan } from './resolve-speed.ts';
import { shippedStrategies, withShipped } from './shipped.ts';
import type * as limits from './snapshot-limits.ts';
import type * as snapshot from './snapshot.ts';
import type { Sources } from './source.ts';

/** Strategy of a sender or node that names none. */
export const DEFAULT_STRATEGY = '60:60';

/** Messages per window: `rate`, or sessions x messages x attempts per `interval`; null: no limit. */
export function windowOf(strategy: StrategyDraft): Rate | null {
  if (strategy.rate) return strategy.rate;
  if (strategy.interval === undefined) return null;
  const { concurrent_connections, messages_per_connection, connection_attempts } = strategy;
  return {
    count: concurrent_connections * messages_per_connection * connection_attempts,
    perMs: strategy.interval,
  };
}

export interface Sending extends Rules {
  readonly strategies: readonly snapshot.StrategyConfig[];
  readonly warmupPlans: readonly snapshot.WarmupPlanConfig[];
  readonly caps: readonly limits.CapConfig[];
  readonly policies: readonly limits.PolicyConfig[];
  readonly nodes: readonly snapshot.NodeConfig[];
  readonly senders: readonly snapshot.SenderConfig[];
  readonly virtualSenders: readonly snapshot.VirtualSenderConfig[];
}

/** Only for a draft without errors: every reference finds its entry. */
export function resolveSending(draft: Draft, sources: Sources): Sending {
  const { lists } = draft;
  const strategies = withShipped(lists.strategies, shippedStrategies()).map(resolveStrategy);
  const rules = resolveRules(draft);
  const choose = chooser(new Map(strategies.map((one) => [one.name, one])), startingStrategies(draft));
  const ownDefault = lists.retry_rules.some(({ name }) => name === 'default');
  const retries = new Map(rules.retryRules.map((one) => [one.name, one]));
  const warmupPlans = lists.warmup_plans.map(resolveWarmupPlan);
  return {
    strategies,
    ...rules,
    warmupPlans,
    caps: lists.caps.map(resolveCap),
    policies: lists.policies.map(resolvePolicy),
    nodes: lists.nodes.map((node) => ({
      ...resolveNode(node, choose),
      warmup: warmupPlans.find(({ name }) => name === node.warmup) ?? null,
    })),
    senders: lists.senders.map((sender) => ({
      ...resolveSender(sender),
      strategies: choose(sender.strategies),
      retry: retries.get(sender.retry ?? 'default')!,
      retryIsOwn: sender.retry !== undefined || ownDefault,
      dkim: sender.dkim.map((key) => ({
        domain: key.domain,
        selector: key.selector,
        keyFile: sources.absolute(draft.at(key, 'key_file'), key.key_file),
      })),
    })),
    virtualSenders: lists.virtual_senders.map(resolveVirtualSender),
  };
}

type Choose = (map: Readonly<Record<string, string>>) => snapshot.StrategyChoice;

function chooser(
  strategies: ReadonlyMap<string, snapshot.StrategyConfig>,
  starting: Readonly<Record<string, string>>,
): Choose {
  return (map) => {
    const { default: fallback, ...byIsp } = choiceOf(map, starting);
    const resolved = Object.entries(byIsp).map(([isp, name]) => [isp, strategies.get(name)!] as const);
    return { default: strategies.get(fallback)!, byIsp: Object.fromEntries(resolved) };
  };
}

/** What is written goes before what ISPs start with; a written default holds for all of them. */
export function choiceOf(
  map: Readonly<Record<string, string>>,
  starting: Readonly<Record<string, string>>,
): { readonly default: string } & Readonly<Record<string, string>> {
  return map.default === undefined
    ? { default: DEFAULT_STRATEGY, ...starting, ...map }
    : { default: map.default, ...map };
}

function resolveStrategy(one: StrategyDraft): snapshot.StrategyConfig {
  return {
    name: one.name,
    ratePerInterval: windowOf(one),
    concurrentConnections: one.concurrent_connections,
    messagesPerConnection: one.messages_per_connection,
    connectionAttempts: one.connection_attempts,
    burst: one.burst,
    dailyLimit: one.daily_limit ?? null,
    maxRecipientsPerTransaction: one.max_recipients_per_transaction,
    helo: one.helo,
    tls: one.tls ?? null,
    drop: one.drop,
    adaptive: resolveAdaptive(one.adaptive),
  };
}

function resolveNode(one: NodeDraft, choose: Choose): Omit<snapshot.NodeConfig, 'warmup'> {
  return {
    name: one.name,
    address: one.address,
    hostname: one.hostname,
    maxSessions: one.max_sessions,
    enabled: one.enabled,
    whenDown: one.when_down,
    strategies: one.strategies ? choose(one.strategies) : null,
  };
}

function resolveSender(
  one: SenderDraft,
): Omit<snapshot.SenderConfig, 'strategies' | 'retry' | 'retryIsOwn' | 'dkim'> {
  return {
    name: one.name,
    nodes: one.nodes,
    returnPathDomain: one.return_path_domain ?? null,
    returnPath: one.return_path,
    listUnsubscribe: one.list_unsubscribe
      ? { mailto: one.list_unsubscribe.mailto, url: one.list_unsubscribe.url ?? null }
      : null,
    dkimMissing: one.dkim_missing,
    lifetimeMs: one.lifetime,
    tls: one.tls ?? null,
  };
}

function resolveVirtualSender(one: VirtualSenderDraft): snapshot.VirtualSenderConfig {
  return { name: one.name, rules: one.rules.map(resolveRule) };
}

function resolveRule({
  when,
  senders,
  sticky,
  fallback,
}: VirtualSenderDraft['rules'][number]): snapshot.VirtualSenderRuleConfig {
  return {
    when:
      when === 'default'
        ? when
        : {
            group: when.group ?? [],
            fromDomain: when.from_domain ?? [],
            toDomain: when.to_domain ?? [],
            fromEmail: when.from_email ?? [],
            isp: when.isp ?? [],
          },
    sticky,
    fallback,
    senders: senders.map((share) => ({
      sender: share.sender,
      percent: share.percent,
      fromEmail: share.from_email ?? null,
      fromName: share.from_name ?? null,
      replyTo: share.reply_to ?? null,
    })),
  };
}
