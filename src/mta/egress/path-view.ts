/** The way that mail to a domain would take, and what each node may send there now: for `explain`. */
import type { NodeConfig, Places } from '../../config/index.ts';
import type { Refusal, Result } from '../../core/index.ts';
import type { EgressContext } from './context.ts';
import type { IspMatch } from './isp.ts';
import type { Lock } from './lock.ts';
import { chosenBy, strategyOf } from './node-strategy.ts';
import type { RoutePlan } from './plan.ts';
import { type SpeedLimit, speedLimits } from './speed-limits.ts';
import type { NodeStatus } from './status.ts';
import { storedLane, storedWait } from './stored-lane.ts';

/** What one node may send there. */
export interface NodePath {
  readonly node: string;
  readonly state: string;
  readonly address: string;
  readonly strategy: string;
  /** The setting that chose the strategy, and its `file:line`. */
  readonly chosenBy: string;
  readonly chosenAt: string | undefined;
  /** Messages per second; undefined: no limit. */
  readonly ratePerSecond: number | undefined;
  readonly dailyLimit: number | null;
  readonly maxSessions: number;
  /** All that limits its speed; the lowest decides. */
  readonly limits: readonly SpeedLimit[];
  readonly locks: readonly Lock[];
  /** What holds mail back just now, in words. */
  readonly waiting: string | undefined;
}

export interface PathView {
  readonly isp: IspMatch | undefined;
  /** What limits are counted by. */
  readonly lane: string | undefined;
  /** Hosts in the order they are tried, with their addresses. */
  readonly hosts: readonly {
    readonly name: string;
    readonly addresses: readonly string[];
    readonly port: number;
  }[];
  /** The setting or the DNS. */
  readonly source: 'route' | 'mx';
  /** Why the mail goes nowhere. */
  readonly problem: Refusal | undefined;
  readonly nodes: readonly NodePath[];
  /** Of the configuration that all this follows from. */
  readonly places: Places;
}

export interface PathRequest {
  readonly domain: string;
  readonly nodes: readonly string[];
  readonly statuses: readonly NodeStatus[];
  readonly plan: Result<RoutePlan, Refusal>;
  readonly context: EgressContext;
}

export function pathView({ domain, nodes, statuses, plan, context }: PathRequest): PathView {
  const hostNames = plan.ok ? plan.value.hostNames : [];
  const isp = context.isps.match(domain, hostNames);
  const lane = isp ? `isp:${isp.isp.name}` : plan.ok ? `mx:${plan.value.key}` : undefined;
  const configs = context.settings.config.nodes.filter(({ name }) => nodes.includes(name));
  return {
    isp,
    lane,
    hosts: plan.ok ? [...plan.value.hosts()] : [],
    source: plan.ok && plan.value.key.startsWith('route:') ? 'route' : 'mx',
    problem: plan.ok ? undefined : plan.error,
    nodes: configs.map((config) => nodePath({ config, isp, lane, statuses, context })),
    places: context.settings.config.places,
  };
}

function nodePath(at: {
  readonly config: NodeConfig;
  readonly isp: IspMatch | undefined;
  readonly lane: string | undefined;
  readonly statuses: readonly NodeStatus[];
  readonly context: EgressContext;
}): NodePath {
  const { config, isp, lane, statuses, context } = at;
  const strategy = strategyOf(context.settings.config, config, isp?.isp.name);
  const status = statuses.find(({ name }) => name === config.name);
  const now = context.clock.now();
  const locks = lane === undefined ? [] : context.locks.of(config.name, lane);
  const ispName = isp?.isp.name ?? 'other';
  const known = status?.lanes.find(({ key }) => key === lane);
  const stored = known || lane === undefined ? undefined : { key: lane, isp: ispName };
  const { ratePerInterval: rate, dailyLimit, concurrentConnections } = strategy;
  return {
    node: config.name,
    state: status?.state ?? 'down',
    address: config.address,
    strategy: strategy.name,
    ...chosenBy(context.settings.config, config, isp?.isp),
    ratePerSecond: rate ? (rate.count / rate.perMs) * 1000 : undefined,
    dailyLimit,
    maxSessions: Math.min(concurrentConnections, config.maxSessions),
    limits: speedLimits({
      strategy,
      caps: context.settings.config.caps,
      places: context.settings.config.places,
      isp: ispName,
      lane: known ?? (stored && storedLane(context, config, stored)),
      stopped: stoppedBy(config.name, status, locks),
      now,
    }),
    locks,
    waiting: known ? known.waiting : stored && storedWait(context, config, stored),
  };
}

/** Why a node sends nothing there at all. A node that drains still sends. */
export function stoppedBy(
  name: string,
  status: NodeStatus | undefined,
  locks: readonly Lock[],
): string | undefined {
  if (status?.state !== 'running' && status?.state !== 'draining')
    return `node ${name} is ${status?.state ?? 'down'}`;
  return locks[0] && `lock ${locks[0].id}`;
}
