/**
 * How much each sender may send towards each ISP, per node and in sum: what the settings allow, and what holds now
 * (lowered speeds, warm-ups, locks, caps). Nodes are shared: senders that use the same one share its speed.
 */
import type { NodeConfig, SenderConfig } from '../../config/index.ts';
import type { EgressContext } from './context.ts';
import { strategyOf } from './node-strategy.ts';
import { stoppedBy } from './path-view.ts';
import { capLimits, lowestLimit, type SpeedLimit, speedLimits } from './speed-limits.ts';
import type { NodeStatus } from './status.ts';
import { storedLane } from './stored-lane.ts';

/** Recipients; undefined: no limit. */
export interface Allowance {
  readonly perMinute: number | undefined;
  readonly perHour: number | undefined;
  readonly perDay: number | undefined;
}

const NOTHING: Allowance = { perMinute: 0, perHour: 0, perDay: 0 };

export interface SpeedRow {
  readonly sender: string;
  /** Name of the ISP; `other`: each set of hosts of no ISP, one by one. */
  readonly isp: string;
  /** Undefined: all nodes of the sender together. */
  readonly node: string | undefined;
  readonly address: string | undefined;
  /** Undefined for the sum of nodes with several ones. */
  readonly strategy: string | undefined;
  /** As the settings say: strategy and caps. */
  readonly allowed: Allowance;
  readonly now: Allowance;
  /** What makes `now` lower than `allowed`, in words. */
  readonly because: readonly string[];
}

export interface SpeedFilter {
  readonly sender?: string | undefined;
  readonly isp?: string | undefined;
  readonly node?: string | undefined;
}

const fits = (wish: string | undefined, name: string): boolean => wish === undefined || wish === name;

export function speedTable(
  context: EgressContext,
  statuses: readonly NodeStatus[],
  filter: SpeedFilter,
): SpeedRow[] {
  const { senders, isps, nodes } = context.settings.config;
  const names = [...isps.map(({ name }) => name), 'other'].filter((name) => fits(filter.isp, name));
  return senders
    .filter(({ name }) => fits(filter.sender, name))
    .flatMap((sender) => {
      const mine = nodes.filter(
        ({ name, enabled }) => enabled && sender.nodes.some((share) => share.node === name),
      );
      return names.flatMap((isp) => {
        const rows = mine.map((node) => nodeRow({ context, statuses, sender, node, isp }));
        const sum = sumRow(context, sender, isp, rows);
        return filter.node === undefined ? [...rows, sum] : rows.filter(({ node }) => node === filter.node);
      });
    });
}

interface Place {
  readonly context: EgressContext;
  readonly statuses: readonly NodeStatus[];
  readonly sender: SenderConfig;
  readonly node: NodeConfig;
  readonly isp: string;
}

function nodeRow({ context, statuses, sender: { name: sender }, node, isp }: Place): SpeedRow {
  const { config } = context.settings;
  const strategy = strategyOf(config, node, isp);
  const status = statuses.find(({ name }) => name === node.name);
  const key = `isp:${isp}`;
  const { caps, places } = config;
  const settings = { strategy, isp, caps, places, now: context.clock.now() };
  const allowed = allowance(speedLimits({ ...settings, lane: undefined, stopped: undefined }), sender);
  const limits = speedLimits({
    ...settings,
    lane: status?.lanes.find((lane) => lane.key === key) ?? storedLane(context, node, { key, isp }),
    stopped: stoppedBy(node.name, status, context.locks.of(node.name, key)),
  });
  const now = allowance(limits, sender);
  return {
    ...{ sender, isp, node: node.name, address: node.address, strategy: strategy.name },
    ...{ allowed, now, because: reasons(limits, sender, allowed, now) },
  };
}

function sumRow(
  { settings }: EgressContext,
  { name: sender }: SenderConfig,
  isp: string,
  rows: readonly SpeedRow[],
): SpeedRow {
  // A cap holds for all nodes together: it counts once more, for the sum.
  const { caps, places } = settings.config;
  const cap = allowance(capLimits(caps, places, isp), sender);
  const strategies = new Set(rows.map(({ strategy }) => strategy));
  return {
    ...{ sender, isp, node: undefined, address: undefined },
    strategy: strategies.size === 1 ? rows[0]!.strategy : undefined,
    allowed: lower(rows.map(({ allowed }) => allowed).reduce(plus, NOTHING), cap),
    now: lower(rows.map(({ now }) => now).reduce(plus, NOTHING), cap),
    because: [...new Set(rows.flatMap(({ because }) => because))],
  };
}

/** The lowest rate as an average; what a day may take is also the most of its hours and minutes. */
function allowance(limits: readonly SpeedLimit[], sender: string): Allowance {
  const rate = lowestLimit(limits, 'perSecond', sender)?.value;
  const day = lowestLimit(limits, 'perDay', sender)?.value;
  const per = (seconds: number): number | undefined =>
    rate === undefined ? day : Math.min(rate * seconds, day ?? Infinity);
  return { perMinute: per(60), perHour: per(3_600), perDay: per(86_400) };
}

function reasons(
  limits: readonly SpeedLimit[],
  sender: string,
  allowed: Allowance,
  now: Allowance,
): readonly string[] {
  const rate = lowestLimit(limits, 'perSecond', sender);
  const day = lowestLimit(limits, 'perDay', sender);
  const settings: string[] = [];
  if (rate && now.perMinute === rate.value * 60 && now.perMinute !== allowed.perMinute)
    settings.push(rate.setting);
  if (day && now.perDay === day.value && now.perDay !== allowed.perDay) settings.push(day.setting);
  return settings;
}

type Combine = (one: number | undefined, other: number | undefined) => number | undefined;

const each =
  (combine: Combine) =>
  (one: Allowance, other: Allowance): Allowance => ({
    perMinute: combine(one.perMinute, other.perMinute),
    perHour: combine(one.perHour, other.perHour),
    perDay: combine(one.perDay, other.perDay),
  });
/** Nothing limits the sum when nothing limits a part. */
const plus = each((one, other) => (one === undefined || other === undefined ? undefined : one + other));
const lower = each((one, other) =>
  one === undefined || other === undefined ? (one ?? other) : Math.min(one, other),
);
