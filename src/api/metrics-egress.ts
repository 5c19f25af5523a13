/**
 * Figures of the sending side. Of more than MAX_CELLS pairs of node and ISP those with sessions go first; the sessions
 * of the rest are summed up as ISP `other`.
 */
import type { Clock } from '../core/index.ts';
import type { EgressView, LaneStatus, NodeStatus } from '../mta/egress/index.ts';
import { gauge, once } from './metrics-gauge.ts';
import { MAX_CELLS, REST } from './metrics-counts.ts';
import type { FigureRegistry } from './metrics-text.ts';

export function egressMetrics(registry: FigureRegistry, egress: EgressView, clock: Clock): void {
  const look = once(clock, () => {
    const nodes = egress.nodes();
    // Not the lanes themselves: they would stay in memory until the next scrape.
    return { nodes: nodes.map(lineOf), cells: cellsOf(nodes) };
  });
  gauge(registry, 'sessions', 'Open sessions by node', ['node'], (set) => {
    for (const { name, sessions } of look().nodes) set(sessions, { node: name });
  });
  gauge(registry, 'node_up', '1 while the node sends', ['node'], (set) => {
    for (const { name, state } of look().nodes) set(state === 'running' ? 1 : 0, { node: name });
  });
  gauge(registry, 'node_state', '1 for the state that the node is in', ['node', 'state'], (set) => {
    for (const { name, state } of look().nodes) set(1, { node: name, state });
  });
  gauge(registry, 'lane_sessions', 'Open sessions by node and ISP', ['node', 'isp'], (set) => {
    for (const { node, isp, sessions } of look().cells) set(sessions, { node, isp });
  });
  const text = 'Recipients per second that strategy and receiver allow, by node and ISP; absent: no limit';
  gauge(registry, 'lane_speed', text, ['node', 'isp'], (set) => {
    for (const { node, isp, speed } of look().cells) if (speed !== Infinity) set(speed, { node, isp });
  });
  gauge(registry, 'lanes_slowed', 'ISPs whose speed is lowered, by node', ['node'], (set) => {
    for (const { name, slowed } of look().nodes) set(slowed, { node: name });
  });
  gauge(
    registry,
    'locks',
    'Locks by what they stop and by the rule; no rule: an operator',
    ['scope', 'rule'],
    (set) => {
      const counts = new Map<string, number>();
      for (const { record } of egress.control.locks()) {
        const key = `${record.scope}\0${record.rule ?? ''}`;
        counts.set(key, (counts.get(key) ?? 0) + 1);
      }
      for (const [key, count] of counts) {
        const [scope, rule] = key.split('\0') as [string, string];
        set(count, { scope, rule });
      }
    },
  );
}

const lineOf = ({ name, sessions, state, lanes }: NodeStatus) => ({
  name,
  sessions,
  state,
  slowed: lanes.reduce((sum, { slowed }) => sum + (slowed ? 1 : 0), 0),
});

interface LaneCell {
  readonly node: string;
  readonly isp: string;
  sessions: number;
  /** Of the slowest lane: domains of no ISP have one for each set of hosts. */
  speed: number;
}

/** An ISP has one lane at a node; only `other` has many. */
function cellsOf(nodes: readonly NodeStatus[]): LaneCell[] {
  const isBusy = ({ isp, sessions }: LaneStatus): boolean => isp !== REST && sessions > 0;
  const isIdle = ({ isp, sessions }: LaneStatus): boolean => isp !== REST && sessions === 0;
  const named = new Set<LaneStatus>();
  for (const wanted of [isBusy, isIdle])
    for (const { lanes } of nodes)
      for (const lane of lanes) if (named.size < MAX_CELLS && wanted(lane)) named.add(lane);
  return nodes.flatMap(({ name: node, lanes }) => {
    const cells: LaneCell[] = [];
    const rest: LaneCell = { node, isp: REST, sessions: 0, speed: Infinity };
    let isRest = false;
    for (const lane of lanes) {
      const { isp, sessions } = lane;
      if (named.has(lane)) {
        cells.push({ node, isp, sessions, speed: speedOf(lane) });
        continue;
      }
      isRest = true;
      rest.sessions += sessions;
      if (isp === REST) rest.speed = Math.min(rest.speed, speedOf(lane));
    }
    if (isRest) cells.push(rest);
    return cells;
  });
}

const speedOf = ({ ratePerSecond = Infinity, slowed }: LaneStatus): number =>
  Math.min(ratePerSecond, slowed?.perSecond ?? Infinity);
