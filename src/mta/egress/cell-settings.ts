/** The settings in force for a node towards an ISP, as they would be written, each with its `file:line`: for people. */
import { type Config, type NodeConfig, type PlacedList, placeOf, writtenAt } from '../../config/index.ts';
import type { CapConfig, RetryRuleConfig, StrategyConfig, WarmupPlanConfig } from '../../config/index.ts';
import { formatDuration, type Rate } from '../../core/index.ts';
import { chosenBy, strategyOf } from './node-strategy.ts';

export interface CellSetting {
  /** As in the file: `rate`, `adaptive.floor`. */
  readonly key: string;
  readonly value: string;
  /** Absent for what is left to its default. */
  readonly at?: string | undefined;
}

/** An entry of the configuration that has a say there. */
export interface CellSettings {
  readonly kind: 'node' | 'strategy' | 'retryRule' | 'warmup' | 'cap';
  readonly name: string;
  /** Absent for what is built in. */
  readonly at?: string | undefined;
  /** What chose it, and where that is written. */
  readonly chosenBy?: string | undefined;
  readonly chosenAt?: string | undefined;
  readonly settings: readonly CellSetting[];
}

/** `isp` is a name or `other`. */
export function cellSettings(config: Config, nodeName: string, isp: string): CellSettings[] {
  const node = config.nodes.find(({ name }) => name === nodeName);
  if (!node) return [];
  const strategy = strategyOf(config, node, isp);
  const chosen = chosenBy(
    config,
    node,
    config.isps.find(({ name }) => name === isp),
  );
  const { warmup } = node;
  return [
    { ...group(config, 'strategy', strategy.name, strategyValues(strategy)), ...chosen },
    ...retryRules(config, node),
    ...(warmup
      ? [
          {
            ...group(config, 'warmup', warmup.name, warmupValues(warmup, isp)),
            chosenBy: `warmup of node ${node.name}`,
            chosenAt: placeOf(config.places, 'nodes', node.name, 'warmup'),
          },
        ]
      : []),
    ...config.caps
      .filter((cap) => cap.isp === isp)
      .map((cap) => group(config, 'cap', cap.name, capValues(cap))),
    group(config, 'node', node.name, [['max_sessions', node.maxSessions]]),
  ];
}

/** Those of the senders that use the node. */
function retryRules(config: Config, node: NodeConfig): CellSettings[] {
  const senders = config.senders.filter(({ nodes }) => nodes.some((share) => share.node === node.name));
  const rules = new Map(senders.toReversed().map((sender) => [sender.retry.name, sender]));
  return [...rules.values()].reverse().map(({ name, retry }) => ({
    ...group(config, 'retryRule', retry.name, retryValues(retry)),
    chosenBy: `retry of sender ${name}`,
    chosenAt: placeOf(config.places, 'senders', name, 'retry'),
  }));
}

type Value = readonly [key: string, value: string | number | boolean | null, writtenAs?: readonly string[]];

const LISTS: Readonly<Record<CellSettings['kind'], PlacedList>> = {
  ...{ node: 'nodes', strategy: 'strategies', retryRule: 'retry_rules', warmup: 'warmup_plans', cap: 'caps' },
};

function group(
  { places }: Config,
  kind: CellSettings['kind'],
  name: string,
  values: readonly Value[],
): CellSettings {
  const list = LISTS[kind];
  const find = (key: string): string | undefined => writtenAt(places, list, name, key);
  return {
    ...{ kind, name, at: placeOf(places, list, name) },
    settings: values.map(([key, value, others = []]) => ({
      key,
      value: value === null ? '-' : String(value),
      at: [key, ...others].map(find).find((at) => at !== undefined),
    })),
  };
}

const rateText = (rate: Rate | null): string | null => rate && `${rate.count}/${formatDuration(rate.perMs)}`;

function strategyValues(one: StrategyConfig): Value[] {
  const { adaptive } = one;
  return [
    ['rate', rateText(one.ratePerInterval), ['interval']],
    ['burst', one.burst],
    ['daily_limit', one.dailyLimit],
    ['concurrent_connections', one.concurrentConnections],
    ['messages_per_connection', one.messagesPerConnection],
    ['adaptive', adaptive.enabled],
    ['adaptive.floor', rateText(adaptive.floor) ?? `${adaptive.floorPercent} %`],
  ];
}

function retryValues(one: RetryRuleConfig): Value[] {
  const waits = one.intervalsMs.map(formatDuration).join(', ');
  return [
    ['type', one.type],
    ['attempts', one.attempts],
    one.type === 'list' ? ['intervals', waits] : ['interval', formatDuration(one.intervalMs)],
    ...(one.type === 'geometric' ? [['exponent', one.exponent] as const] : []),
    ['max_interval', formatDuration(one.maxIntervalMs)],
  ];
}

function warmupValues(plan: WarmupPlanConfig, isp: string): Value[] {
  const own = Object.hasOwn(plan.byIsp, isp);
  return [
    [own ? `isps.${isp}` : 'stages', (own ? plan.byIsp[isp]! : plan.stages).join(', ')],
    ['advance_at', plan.advanceAt],
    ['overflow', plan.overflow],
  ];
}

const capValues = (cap: CapConfig): Value[] => [
  ['sender', cap.sender],
  ['rate', rateText(cap.rate)],
  ['daily_limit', cap.dailyLimit],
];
