/** The cells of the grid: one node towards one ISP, with its health and why. */
import { noCounts, type QueueCounts } from '../api/index.ts';
import type { LaneStatus, NodeStatus } from '../mta/egress/index.ts';
import { type LockBook, warmupOf } from './locks.ts';
import { URGENCY } from './parts.ts';
import type { Observer } from './observer.ts';
import type { CellView, ErrorView, Health, LockLine, SlowedView } from './view.ts';

/** More than this share of refusals makes a cell slow. */
const MANY_REFUSALS = 0.3;

export type CellCounts = QueueCounts & {
  readonly node: string;
  readonly isp: string;
  /** Acceptance of the oldest delivery (wall ms); Infinity when it is not known. */
  oldest: number;
};

export interface CellContext {
  readonly nodes: readonly NodeStatus[];
  /** By `cellKey`. */
  readonly counts: ReadonlyMap<string, CellCounts>;
  readonly locks: LockBook;
  readonly now: number;
  readonly full: boolean;
}

/** Undefined when it is not known since when. */
export const secondsSince = (at: number, now: number): number | undefined =>
  Number.isFinite(at) ? Math.max(0, (now - at) / 1000) : undefined;

export const cellKey = (node: string, isp: string): string => `${node}\0${isp}`;

/** Cells that have mail or sessions; what is stuck first, then what is slow, then those with the most mail. */
export function cellsOf(observer: Observer, context: CellContext): CellView[] {
  const cells = new Map<string, CellView>();
  const states = new Map(context.nodes.map(({ name, state }) => [name, state]));
  const add = (place: Place): void =>
    void cells.set(cellKey(place.node, place.isp), cellOf(observer, context, place));
  for (const { name: node, state, lanes } of context.nodes)
    for (const [isp, ofIsp] of Map.groupBy(lanes, (lane) => lane.isp))
      add({ node, state, isp, lanes: ofIsp });
  for (const [key, { node, isp }] of context.counts)
    if (!cells.has(key)) add({ node, state: states.get(node), isp, lanes: [] });
  return [...cells.values()].sort(
    (a, b) => URGENCY[a.health] - URGENCY[b.health] || b.total - a.total || b.delivered - a.delivered,
  );
}

interface Place {
  readonly node: string;
  readonly state: NodeStatus['state'] | undefined;
  readonly isp: string;
  readonly lanes: readonly LaneStatus[];
}

function cellOf(
  observer: Observer,
  { counts: all, locks, now, full }: CellContext,
  { node, state, isp, lanes }: Place,
): CellView {
  const counts = all.get(cellKey(node, isp)) ?? { ...noCounts(), oldest: Infinity };
  const recently = observer.recently(node, isp, now);
  // Domains of no ISP have a lane per receiver: one that waits says little of the others.
  const only = lanes.length === 1 ? lanes[0] : undefined;
  const lock = locks.of(node, isp);
  const waiting = only?.waiting;
  return {
    node,
    isp,
    new: counts.new,
    proc: counts.proc,
    retry: counts.retry,
    hold: counts.hold,
    total: counts.total,
    oldestSeconds: secondsSince(counts.oldest, now),
    sessions: lanes.reduce((sum, lane) => sum + lane.sessions, 0),
    maxSessions: lanes.reduce((sum, lane) => sum + lane.maxSessions, 0),
    ratePerSecond: only?.ratePerSecond ?? null,
    perSecond: (recently.delivered + recently.refused) / observer.seconds(now),
    slowed: only?.slowed && slowedOf(only.slowed, full),
    lock,
    warmup: warmupOf(lanes),
    strategy: lanes[0]?.strategy,
    ...recently,
    waiting:
      (full || !mayQuote(only, lock) ? waiting : undefined) ??
      (state && state !== 'running' ? state : undefined),
    health: healthOf({ ...counts, ...recently, waiting, state, locked: lock !== undefined }),
    lastError: errorOf(lastErrorOf(lanes), full),
  };
}

/** Whether the reason why a lane waits may repeat what a receiver said. */
const mayQuote = (lane: LaneStatus | undefined, lock: LockLine | undefined): boolean =>
  lock !== undefined || lane?.slowed !== undefined || (lane?.warmup?.pausedUntil ?? 0) > 0;

interface Signs {
  readonly total: number;
  readonly hold: number;
  readonly delivered: number;
  readonly refused: number;
  readonly waiting: string | undefined;
  readonly locked: boolean;
  readonly state: NodeStatus['state'] | undefined;
}

/** What an operator holds is not stuck: it is meant to wait. */
function healthOf({ total, hold, delivered, refused, waiting, locked, state }: Signs): Health {
  const due = total - hold > 0;
  // A node that drains still sends what it has.
  if (due && (locked || (state !== 'running' && state !== 'draining'))) return 'stuck';
  if (due && delivered === 0 && (waiting !== undefined || refused > 0)) return 'stuck';
  if (locked || refused > (delivered + refused) * MANY_REFUSALS || (due && waiting !== undefined))
    return 'slow';
  return total > 0 || delivered > 0 ? 'good' : 'idle';
}

const slowedOf = (slowed: NonNullable<LaneStatus['slowed']>, full: boolean): SlowedView => ({
  perSecond: slowed.perSecond,
  since: slowed.cutAt,
  reason: full ? slowed.cutReason : undefined,
});

const lastErrorOf = (lanes: readonly LaneStatus[]): LaneStatus['lastError'] =>
  lanes
    .flatMap((lane) => lane.lastError ?? [])
    .reduce<LaneStatus['lastError']>((a, b) => (a && a.at > b.at ? a : b), undefined);

export const errorOf = (error: NodeStatus['lastError'], full: boolean): ErrorView | undefined =>
  error && full ? { at: error.at, text: error.text } : undefined;
