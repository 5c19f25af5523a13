/** From draft to snapshot: strategies, retry rules, nodes, ISPs, senders and virtual senders. */
import type { Rate } from '../core/index.ts';
import type {
  Draft,
  NodeDraft,
  RetryRuleDraft,
  SenderDraft,
  StrategyDraft,
  VirtualSenderDraft,
} from './draft.ts';
import { builtins } from './schema.ts';
import type * as snapshot from './snapshot.ts';
import type { Sources } from './source.ts';

/** Strategy of a sender or node that names none. */
export const DEFAULT_STRATEGY = '60:60';
const DEFAULT_MAX_INTERVAL_MS = 4 * 3600e3;

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

/** The entries of a list, then the built-in ones whose names were not taken. */
function withBuiltins<T extends { readonly name: string }>(own: readonly T[], brought: readonly T[]): T[] {
  return [...own, ...brought.filter((one) => !own.some(({ name }) => name === one.name))];
}

export interface Sending {
  readonly strategies: readonly snapshot.StrategyConfig[];
  readonly retryRules: readonly snapshot.RetryRuleConfig[];
  readonly nodes: readonly snapshot.NodeConfig[];
  readonly senders: readonly snapshot.SenderConfig[];
  readonly virtualSenders: readonly snapshot.VirtualSenderConfig[];
}

/** Only for a draft without errors: every reference finds its entry. */
export function resolveSending(draft: Draft, sources: Sources): Sending {
  const { lists } = draft;
  const strategies = withBuiltins(lists.strategies, builtins.strategies).map(resolveStrategy);
  const retryRules = withBuiltins(lists.retry_rules, builtins.retryRules).map(resolveRetryRule);
  const choose = chooser(new Map(strategies.map((one) => [one.name, one])));
  const rules = new Map(retryRules.map((one) => [one.name, one]));
  return {
    strategies,
    retryRules,
    nodes: lists.nodes.map((node) => resolveNode(node, choose)),
    senders: lists.senders.map((sender) => ({
      ...resolveSender(sender),
      strategies: choose(sender.strategies),
      retry: rules.get(sender.retry)!,
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

function chooser(strategies: ReadonlyMap<string, snapshot.StrategyConfig>): Choose {
  return ({ default: fallback = DEFAULT_STRATEGY, ...map }) => ({
    default: strategies.get(fallback)!,
    byIsp: Object.fromEntries(Object.entries(map).map(([isp, name]) => [isp, strategies.get(name)!])),
  });
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
  };
}

function resolveRetryRule(one: RetryRuleDraft): snapshot.RetryRuleConfig {
  return {
    name: one.name,
    attempts: one.attempts,
    type: one.type,
    intervalMs: one.interval,
    exponent: one.exponent,
    modifier: one.modifier,
    intervalsMs: one.intervals,
    maxIntervalMs: one.max_interval ?? Math.max(DEFAULT_MAX_INTERVAL_MS, one.interval),
    mode: one.mode,
  };
}

function resolveNode(one: NodeDraft, choose: Choose): snapshot.NodeConfig {
  return {
    name: one.name,
    address: one.address,
    hostname: one.hostname,
    maxSessions: one.max_sessions,
    enabled: one.enabled,
    strategies: one.strategies ? choose(one.strategies) : null,
  };
}

function resolveSender(one: SenderDraft): Omit<snapshot.SenderConfig, 'strategies' | 'retry' | 'dkim'> {
  return {
    name: one.name,
    nodes: one.nodes,
    returnPathDomain: one.return_path_domain ?? null,
    returnPath: one.return_path,
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
    senders: senders.map((share) => ({
      sender: share.sender,
      percent: share.percent,
      fromEmail: share.from_email ?? null,
      fromName: share.from_name ?? null,
      replyTo: share.reply_to ?? null,
    })),
  };
}
