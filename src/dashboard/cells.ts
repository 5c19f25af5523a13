/**
 * The cells of the grid: one node towards one ISP, with its health and why. There may be tens of thousands, so of each
 * only what its health and place depend on is worked out; what a page shows of it, when it is shown.
 */
import { noCounts, type QueueCounts, type Slices } from '../api/index.ts';
import type { EgressView, LaneStatus, NodeFigures } from '../mta/egress/index.ts';
import type { RowKey } from '../queue/index.ts';
import { laterWarmup, type LockBook, toldLock, warmupOf } from './locks.ts';
import type { CellCounts as Recently, Observer } from './observer.ts';
import { PairMap } from './pair-map.ts';
import type { CellView, ErrorView, Health, LockLine, SlowedView, WarmupLine } from './view.ts';

/** More than this share of refusals makes a cell slow, if there are so many: one of three attempts says nothing. */
const MANY_REFUSALS = 0.3;
const LEAST_REFUSALS = 3;
const WORST = 6;

export const URGENCY: Readonly<Record<Health, number>> = { stuck: 0, slow: 1, good: 2, idle: 3 };

export type CellCounts = QueueCounts & {
  readonly node: string;
  readonly isp: string;
  /** Acceptance of the oldest delivery (wall ms); Infinity when it is not known. */
  oldest: number;
  /** Whose mail waits there for longest of what was never tried and is not held. */
  first?: RowKey | undefined;
};

export interface CellContext {
  readonly observer: Observer;
  readonly egress: Pick<EgressView, 'lanes' | 'whyWaiting' | 'campaigns'>;
  readonly nodes: readonly NodeFigures[];
  /** By node and ISP. */
  readonly counts: PairMap<CellCounts>;
  readonly locks: LockBook;
  readonly now: number;
}

/** Undefined when it is not known since when. */
export const secondsSince = (at: number, now: number): number | undefined =>
  Number.isFinite(at) ? Math.max(0, (now - at) / 1000) : undefined;

/** A cell as far as it is known without being shown. */
export interface Cell {
  readonly node: string;
  readonly isp: string;
  readonly state: NodeFigures['state'] | undefined;
  readonly counts: CellCounts;
  lanes: number;
  /** The first of its lanes. */
  lane: LaneStatus | undefined;
  sessions: number;
  maxSessions: number;
  lastError: LaneStatus['lastError'];
  warmup: WarmupLine | undefined;
  recently: Recently;
  health: Health;
}

export interface Cells {
  /** Those that have mail or lanes, by node and ISP. */
  readonly all: PairMap<Cell>;
  /** How many are stuck or slow, and the first of these: stuck ones first, then those with the most mail. */
  readonly notGood: number;
  readonly worst: readonly Cell[];
  /** By node. */
  readonly warmups: ReadonlyMap<string, WarmupLine>;
  readonly view: (cell: Cell, full: boolean) => CellView;
}

export async function cellsOf(context: CellContext, slices: Slices): Promise<Cells> {
  const all = new PairMap<Cell>();
  const states = new Map(context.nodes.map(({ name, state }) => [name, state]));
  const cellOf = (node: string, isp: string): Cell =>
    all.entry(node, isp, () =>
      newCell({ node, isp, counts: context.counts.get(node, isp), state: states.get(node) }),
    );
  await slices.each(lanesOf(context), ({ node, lane }) => addLane(cellOf(node, lane.isp), lane));
  await slices.each(context.counts.values(), ({ node, isp }) => void cellOf(node, isp));
  const warmups = new Map<string, WarmupLine>();
  const worst: Cell[] = [];
  let notGood = 0;
  await slices.each(all.values(), (cell) => {
    const { node, isp, warmup } = cell;
    cell.recently = context.observer.recently(node, isp, context.now);
    cell.health = healthOf(cell, context);
    const later = laterWarmup(warmups.get(node), warmup);
    if (later) warmups.set(node, later);
    if (cell.health !== 'stuck' && cell.health !== 'slow') return;
    notGood++;
    insert(worst, cell);
  });
  return { all, notGood, worst, warmups, view: (cell, full) => viewOf(cell, context, full) };
}

function* lanesOf({ egress, nodes }: CellContext): Generator<{ node: string; lane: LaneStatus }> {
  for (const { name: node } of nodes) for (const lane of egress.lanes({ node })) yield { node, lane };
}

type Place = Pick<Cell, 'node' | 'isp' | 'state'> & { readonly counts: CellCounts | undefined };

const newCell = ({ node, isp, state, counts }: Place): Cell => ({
  node,
  isp,
  state,
  counts: counts ?? { node, isp, oldest: Infinity, ...noCounts() },
  lanes: 0,
  lane: undefined,
  sessions: 0,
  maxSessions: 0,
  lastError: undefined,
  warmup: undefined,
  recently: { delivered: 0, refused: 0 },
  health: 'idle',
});

function addLane(cell: Cell, lane: LaneStatus): void {
  cell.lanes++;
  cell.lane ??= lane;
  cell.sessions += lane.sessions;
  cell.maxSessions += lane.maxSessions;
  if (lane.lastError && !(cell.lastError && cell.lastError.at > lane.lastError.at))
    cell.lastError = lane.lastError;
  cell.warmup = laterWarmup(cell.warmup, warmupOf(lane));
}

/** Keeps the first ones in their order. */
function insert(worst: Cell[], cell: Cell): void {
  const place = worst.findIndex((one) => byUrgency(cell, one) < 0);
  if (place >= 0) worst.splice(place, 0, cell);
  else if (worst.length < WORST) worst.push(cell);
  worst.length = Math.min(worst.length, WORST);
}

const byUrgency = (a: Cell, b: Cell): number =>
  URGENCY[a.health] - URGENCY[b.health] ||
  b.counts.total - a.counts.total ||
  b.recently.delivered - a.recently.delivered;

/** Domains of no ISP have a lane per receiver: one that waits says little of the others. */
const onlyLane = ({ lanes, lane }: Cell): LaneStatus | undefined => (lanes === 1 ? lane : undefined);

function viewOf(cell: Cell, context: CellContext, full: boolean): CellView {
  const { observer, locks, now } = context;
  const { node, isp, state, counts, recently } = cell;
  const only = onlyLane(cell);
  const lock = locks.of(node, isp);
  return {
    node,
    isp,
    new: counts.new,
    proc: counts.proc,
    retry: counts.retry,
    hold: counts.hold,
    total: counts.total,
    oldestSeconds: secondsSince(counts.oldest, now),
    sessions: cell.sessions,
    maxSessions: cell.maxSessions,
    ratePerSecond: only && (only.ratePerSecond ?? null),
    perSecond: (recently.delivered + recently.refused) / observer.seconds(now),
    slowed: only?.slowed && slowedOf(only.slowed, full),
    lock: toldLock(lock, full),
    warmup: cell.warmup,
    strategy: cell.lane?.strategy,
    ...recently,
    waiting:
      (full || !mayQuote(only, lock) ? only?.waiting : undefined) ??
      (state && state !== 'running' ? state : undefined) ??
      whyFirst(counts, context, full),
    health: cell.health,
    lastError: errorOf(cell.lastError, full),
  };
}

/** What the lane does not know, such as the limit of a campaign. Before the sign-in only that: the rest may name domains. */
function whyFirst({ first }: CellCounts, { egress }: CellContext, full: boolean): string | undefined {
  if (!first) return undefined;
  return full ? egress.whyWaiting(first.node, first.domain, first) : egress.campaigns.of(first)?.waiting();
}

/** Whether the reason why a lane waits may repeat what a receiver said. */
const mayQuote = (lane: LaneStatus | undefined, lock: LockLine | undefined): boolean =>
  lock !== undefined || lane?.slowed !== undefined || (lane?.warmup?.pausedUntil ?? 0) > 0;

/** What an operator holds is not stuck: it is meant to wait. */
function healthOf(cell: Cell, { locks, egress }: CellContext): Health {
  const { node, isp, state, counts, recently } = cell;
  const lock = locks.of(node, isp);
  const { delivered, refused } = recently;
  const only = onlyLane(cell);
  const waits = only?.waiting !== undefined;
  const locked = lock !== undefined && (lock.part === undefined || lock.part.lane === only?.key);
  const due = counts.total - counts.hold > 0;
  // A node that drains still sends what it has.
  if (due && (locked || (state !== 'running' && state !== 'draining'))) return 'stuck';
  if (due && delivered === 0 && (waits || refused > 0 || lock)) return 'stuck';
  // A campaign's limit stops others of the cell only while nobody else has mail there.
  if (due && delivered === 0 && counts.first && egress.campaigns.of(counts.first)?.waiting()) return 'stuck';
  const many = refused >= LEAST_REFUSALS && refused > (delivered + refused) * MANY_REFUSALS;
  if (lock || many || (due && waits)) return 'slow';
  // What was put off is not forgotten while it waits for its next attempt, when nothing else goes there.
  if (counts.retry > 0 && delivered === 0) return 'slow';
  return counts.total > 0 || delivered > 0 ? 'good' : 'idle';
}

const slowedOf = (slowed: NonNullable<LaneStatus['slowed']>, full: boolean): SlowedView => ({
  perSecond: slowed.perSecond,
  since: slowed.cutAt,
  reason: full ? slowed.cutReason : undefined,
});

export const errorOf = (error: LaneStatus['lastError'], full: boolean): ErrorView | undefined =>
  error && full ? { at: error.at, text: error.text } : undefined;
