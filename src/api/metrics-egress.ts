/**
 * Figures of the sending side. Of more than MAX_CELLS pairs of node and ISP those with sessions go first; the sessions
 * of the rest are summed up as ISP `other`.
 */
import type { Registry } from 'prom-client';
import type { Clock } from '../core/index.ts';
import type { EgressView, NodeStatus } from '../mta/egress/index.ts';
import { gauge } from './metrics-gauge.ts';
import { MAX_CELLS } from './metrics-counts.ts';

/** The status of all lanes is work, and all gauges of a scrape are read within some milliseconds. */
const SAME_SCRAPE_MS = 200;

export function egressMetrics(registry: Registry, egress: EgressView, clock: Clock): void {
  const look = once(clock, () => {
    const nodes = egress.nodes();
    return { nodes, cells: cellsOf(nodes) };
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
    for (const { name, lanes } of look().nodes)
      set(lanes.filter(({ slowed }) => slowed).length, { node: name });
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

function once<T>(clock: Clock, look: () => T): () => T {
  let seen: { readonly at: number; readonly what: T } | undefined;
  return () => {
    const at = clock.mono();
    if (!seen || at - seen.at > SAME_SCRAPE_MS) seen = { at, what: look() };
    return seen.what;
  };
}

interface LaneCell {
  readonly node: string;
  readonly isp: string;
  sessions: number;
  /** Of the slowest lane: domains of no ISP have one for each set of hosts. */
  speed: number;
}

function cellsOf(nodes: readonly NodeStatus[]): LaneCell[] {
  const cells: LaneCell[] = [];
  for (const { name: node, lanes } of nodes) {
    const ofNode = new Map<string, LaneCell>();
    for (const { isp, sessions, ratePerSecond = Infinity, slowed } of lanes) {
      const cell = ofNode.get(isp) ?? { node, isp, sessions: 0, speed: Infinity };
      ofNode.set(isp, cell);
      cell.sessions += sessions;
      cell.speed = Math.min(cell.speed, ratePerSecond, slowed?.perSecond ?? Infinity);
    }
    cells.push(...ofNode.values());
  }
  return cells.length <= MAX_CELLS ? cells : bounded(cells);
}

function bounded(cells: readonly LaneCell[]): LaneCell[] {
  const idle = cells.filter(({ sessions }) => sessions === 0);
  const ordered = [...cells.filter(({ sessions }) => sessions > 0), ...idle];
  const named: LaneCell[] = [];
  const rest = new Map<string, LaneCell>();
  for (const cell of ordered) {
    if (named.length < MAX_CELLS && cell.isp !== 'other') named.push(cell);
    else {
      const { node, sessions } = cell;
      const other = rest.get(node) ?? { node, isp: 'other', sessions: 0, speed: Infinity };
      rest.set(node, other);
      other.sessions += sessions;
      if (cell.isp === 'other') other.speed = cell.speed;
    }
  }
  return [...named, ...rest.values()];
}
