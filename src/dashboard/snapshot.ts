/** Puts together what the page shows, from the counts of the queue, the sending side and what was observed. */
import {
  ispLabel,
  queueTotals,
  addRow,
  noCounts,
  type ApiDependencies,
  type QueueCounts,
} from '../api/index.ts';
import type { LaneStatus, NodeStatus } from '../mta/egress/index.ts';
import type { Observer } from './observer.ts';
import type { CampaignLine, CellView, ErrorView, Health, IspLine, SenderLine, Snapshot } from './view.ts';

const MOST_CELLS = 2_000;
const MOST_CAMPAIGNS = 50;
const MOST_SENDERS = 50;
const TOP_REFUSALS = 20;
/** More than this share of refusals makes a cell slow. */
const MANY_REFUSALS = 0.3;

export interface Sources {
  readonly deps: ApiDependencies;
  readonly observer: Observer;
  /** Oldest acceptance (wall ms) by recipient domain, of the last sweep. */
  readonly oldest: ReadonlyMap<string, number>;
}

/** `full`: for somebody who has signed in. Without, no text of a receiver is in it. */
export function takeSnapshot(sources: Sources, full: boolean): Snapshot {
  const { deps, observer } = sources;
  const now = deps.clock.now();
  const status = deps.status();
  const sums = sumQueue(deps);
  const nodes = deps.egress.nodes();
  const cells = cellsOf(sources, { nodes, sums, now, full });
  const totals = deps.queue.state.counters.sum();
  const { oldest_seconds: oldestSeconds, ...queue } = queueTotals(deps);
  const campaigns = campaignLines(deps, sums);
  return {
    at: now,
    version: status.version,
    hostname: status.hostname,
    started: status.started,
    ready: status.ready,
    notReady: status.notReady,
    hour: observer.hour.series(now),
    minute: observer.minute.series(now),
    queue: { ...queue, oldestSeconds },
    totals: {
      accepted: totals.accepted,
      delivered: totals.delivered,
      failed: totals.hard_bounced + totals.undelivered + totals.removed,
    },
    nodes: nodes.map((node) => ({
      name: node.name,
      address: node.address,
      state: node.state,
      sessions: node.sessions,
      maxSessions: node.maxSessions,
      delivered: node.delivered,
      attempts: node.attempts,
      queued: sums.nodes.get(node.name) ?? 0,
      lastError: errorOf(node.lastError, full),
    })),
    isps: ispLines(sources, sums, now),
    cells: cells.slice(0, MOST_CELLS),
    moreCells: Math.max(0, cells.length - MOST_CELLS),
    senders: [...sums.senders]
      .map(([sender, counts]): SenderLine => ({ sender, ...counts }))
      .sort((a, b) => b.total - a.total)
      .slice(0, MOST_SENDERS),
    campaigns: campaigns.slice(0, MOST_CAMPAIGNS),
    moreCampaigns: Math.max(0, campaigns.length - MOST_CAMPAIGNS),
    refusals: observer.refusals
      .top(TOP_REFUSALS, now)
      .map((one) => (full ? one : { ...one, text: undefined })),
  };
}

interface Sums {
  readonly cells: Map<string, QueueCounts & { readonly node: string; readonly isp: string }>;
  readonly nodes: Map<string, number>;
  readonly isps: Map<string, number>;
  readonly senders: Map<string, QueueCounts>;
  readonly campaigns: Map<string, QueueCounts>;
}

/** One pass over the rows of the queue. */
function sumQueue(deps: ApiDependencies): Sums {
  const sums: Sums = {
    cells: new Map(),
    nodes: new Map(),
    isps: new Map(),
    senders: new Map(),
    campaigns: new Map(),
  };
  const ispOf = new Map<string, string>();
  for (const row of deps.queue.state.counters.rows()) {
    let isp = ispOf.get(row.domain);
    if (isp === undefined) ispOf.set(row.domain, (isp = ispLabel(deps.egress, row.domain)));
    const { node } = row;
    addRow(
      entry(sums.cells, `${node}\0${isp}`, () => ({ node, isp, ...noCounts() })),
      row,
    );
    addRow(entry(sums.senders, row.sender, noCounts), row);
    addRow(entry(sums.campaigns, `${row.account}\0${row.campaign}`, noCounts), row);
    sums.nodes.set(node, (sums.nodes.get(node) ?? 0) + row.new + row.retry);
    sums.isps.set(isp, (sums.isps.get(isp) ?? 0) + row.new + row.retry);
  }
  return sums;
}

function entry<T>(map: Map<string, T>, key: string, create: () => T): T {
  let value = map.get(key);
  if (value === undefined) map.set(key, (value = create()));
  return value;
}

interface CellContext {
  readonly nodes: readonly NodeStatus[];
  readonly sums: Sums;
  readonly now: number;
  readonly full: boolean;
}

/** Cells that have mail or sessions; those with the most mail first. */
function cellsOf({ observer }: Sources, { nodes, sums, now, full }: CellContext): CellView[] {
  const cells = new Map<string, CellView>();
  const add = (
    node: NodeStatus | undefined,
    name: string,
    isp: string,
    lanes: readonly LaneStatus[],
  ): void => {
    const key = `${name}\0${isp}`;
    const counts = sums.cells.get(key) ?? noCounts();
    const recently = observer.recently(name, isp, now);
    const sessions = lanes.reduce((sum, lane) => sum + lane.sessions, 0);
    // Domains of no ISP have a lane per receiver: one that waits says little of the others.
    const waiting = lanes.length === 1 ? lanes[0]!.waiting : undefined;
    const lastError = lanes
      .flatMap((lane) => lane.lastError ?? [])
      .reduce<LaneStatus['lastError']>((a, b) => (a && a.at > b.at ? a : b), undefined);
    cells.set(key, {
      node: name,
      isp,
      new: counts.new,
      proc: counts.proc,
      retry: counts.retry,
      hold: counts.hold,
      total: counts.total,
      sessions,
      maxSessions: lanes.reduce((sum, lane) => sum + lane.maxSessions, 0),
      ratePerSecond: lanes.length === 1 ? (lanes[0]!.ratePerSecond ?? null) : null,
      strategy: lanes[0]?.strategy,
      ...recently,
      waiting: waiting ?? (node && node.state !== 'running' ? node.state : undefined),
      health: healthOf({ total: counts.total, ...recently, waiting, state: node?.state }),
      lastError: errorOf(lastError, full),
    });
  };
  for (const node of nodes) {
    const byIsp = Map.groupBy(node.lanes, (lane) => lane.isp);
    for (const [isp, lanes] of byIsp) add(node, node.name, isp, lanes);
  }
  for (const [key, { node, isp }] of sums.cells)
    if (!cells.has(key))
      add(
        nodes.find(({ name }) => name === node),
        node,
        isp,
        [],
      );
  return [...cells.values()].sort((a, b) => b.total - a.total);
}

interface Signs {
  readonly total: number;
  readonly delivered: number;
  readonly refused: number;
  readonly waiting: string | undefined;
  readonly state: NodeStatus['state'] | undefined;
}

function healthOf({ total, delivered, refused, waiting, state }: Signs): Health {
  if (total > 0 && state !== 'running') return 'stuck';
  if (total > 0 && delivered === 0 && (waiting !== undefined || refused > 0)) return 'stuck';
  if (refused > (delivered + refused) * MANY_REFUSALS || (total > 0 && waiting !== undefined)) return 'slow';
  return total > 0 || delivered > 0 ? 'good' : 'idle';
}

const errorOf = (error: NodeStatus['lastError'], full: boolean): ErrorView | undefined =>
  error && full ? { at: error.at, text: error.text } : undefined;

function ispLines({ deps, oldest }: Sources, { isps }: Sums, now: number): IspLine[] {
  const since = new Map<string, number>();
  for (const [domain, at] of oldest) {
    const isp = ispLabel(deps.egress, domain);
    since.set(isp, Math.min(since.get(isp) ?? Infinity, at));
  }
  return [...isps]
    .map(([name, queued]) => {
      const at = since.get(name);
      return { name, queued, oldestSeconds: at === undefined ? undefined : Math.max(0, (now - at) / 1000) };
    })
    .sort((a, b) => b.queued - a.queued);
}

/** Campaigns with mail in the queue first, the largest first; then those that have ended. */
function campaignLines({ queue }: ApiDependencies, { campaigns }: Sums): CampaignLine[] {
  const lines: CampaignLine[] = [];
  for (const { account, campaign, ...totals } of queue.state.counters.totals()) {
    const counts = campaigns.get(`${account}\0${campaign}`) ?? noCounts();
    const { accepted, delivered, hard_bounced: hard, undelivered } = totals;
    lines.push({ account, campaign, ...counts, accepted, delivered, hard, undelivered });
  }
  return lines.sort((a, b) => b.total - a.total || b.accepted - a.accepted);
}
