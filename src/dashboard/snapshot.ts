/** Puts together what the page shows, from the counts of the queue, the sending side and what was observed. */
import {
  ispLabel,
  queueTotals,
  addRow,
  noCounts,
  type ApiDependencies,
  heldOf,
  paceOf,
  type QueueCounts,
} from '../api/index.ts';
import { rowName } from '../queue/index.ts';
import { type CellCounts, cellsOf, errorOf, secondsSince } from './cells.ts';
import { LockBook, warmupOf } from './locks.ts';
import type { Observer } from './observer.ts';
import { campaignPart, gridPart, type GridSource } from './parts.ts';
import type { CampaignLine, Found, IspLine, Look, NodeLine, SenderLine, Snapshot } from './view.ts';

const WORST = 6;
const MOST_SENDERS = 50;
const TOP_REFUSALS = 20;

const FROM_THE_START: Look = { grid: '', row: 0, column: 0, campaigns: '', campaign: 0 };

export interface Sources {
  readonly deps: ApiDependencies;
  readonly observer: Observer;
}

/** One look at everything: what all pages are shown, and what each may look at in the rest. */
export interface Picture {
  readonly snapshot: Snapshot;
  readonly find: (look: Look) => Found;
}

/** `full`: for somebody who has signed in. Without, no text of a receiver is in it. */
export function takePicture(sources: Sources, full: boolean): Picture {
  const { deps, observer } = sources;
  const now = deps.clock.now();
  const status = deps.status();
  const sums = sumQueue(deps);
  const nodes = deps.egress.nodes();
  const locks = new LockBook(deps.egress.control.locks(), full);
  const cells = cellsOf(observer, { nodes, counts: sums.cells, locks, now, full });
  const totals = deps.queue.state.counters.sum();
  const { oldest_seconds: oldestSeconds, ...queue } = queueTotals(deps);
  const campaigns = campaignsOf(sources, sums);
  const paced = (one: CampaignSum): CampaignLine => campaignLine(sources, one, now);
  const grid: GridSource = { cells, nodes, isps: ispLines(sums, now) };
  const find = (look: Look): Found => ({
    look,
    grid: gridPart(grid, look),
    campaigns: campaignPart(campaigns, look, paced),
  });
  const notGood = cells.filter(({ health }) => health === 'stuck' || health === 'slow');
  const first = find(FROM_THE_START);
  const snapshot: Snapshot = {
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
    nodes: nodes.map((node): NodeLine => ({
      name: node.name,
      address: node.address,
      state: node.state,
      sessions: node.sessions,
      maxSessions: node.maxSessions,
      delivered: node.delivered,
      attempts: node.attempts,
      queued: sums.nodes.get(node.name) ?? 0,
      lock: locks.of(node.name, undefined),
      warmup: warmupOf(node.lanes),
      lastError: errorOf(node.lastError, full),
    })),
    worst: notGood.slice(0, WORST),
    notGood: notGood.length,
    grid: first.grid,
    senders: [...sums.senders]
      .map(([sender, counts]): SenderLine => ({ sender, ...counts }))
      .sort((a, b) => b.total - a.total)
      .slice(0, MOST_SENDERS),
    campaigns: first.campaigns,
    refusals: observer.refusals
      .top(TOP_REFUSALS, now)
      .map((one) => (full ? one : { ...one, text: undefined, example: undefined })),
  };
  return { snapshot, find };
}

interface Sums {
  readonly cells: Map<string, CellCounts>;
  readonly nodes: Map<string, number>;
  readonly isps: Map<string, { queued: number; oldest: number }>;
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
  const { counters, oldest } = deps.queue.state;
  for (const row of counters.rows()) {
    let isp = ispOf.get(row.domain);
    if (isp === undefined) ispOf.set(row.domain, (isp = ispLabel(deps.egress, row.domain)));
    const { node } = row;
    const held = heldOf(deps.queue, row);
    const at = oldest.get(rowName(row)) ?? Infinity;
    const cell = entry(sums.cells, `${node}\0${isp}`, () => ({ node, isp, oldest: at, ...noCounts() }));
    cell.oldest = Math.min(cell.oldest, at);
    addRow(cell, row, held);
    addRow(entry(sums.senders, row.sender, noCounts), row, held);
    addRow(entry(sums.campaigns, `${row.account}\0${row.campaign}`, noCounts), row, held);
    sums.nodes.set(node, (sums.nodes.get(node) ?? 0) + row.new + row.retry);
    const ofIsp = entry(sums.isps, isp, () => ({ queued: 0, oldest: at }));
    ofIsp.queued += row.new + row.retry;
    ofIsp.oldest = Math.min(ofIsp.oldest, at);
  }
  return sums;
}

function entry<T>(map: Map<string, T>, key: string, create: () => T): T {
  let value = map.get(key);
  if (value === undefined) map.set(key, (value = create()));
  return value;
}

function ispLines({ isps }: Sums, now: number): IspLine[] {
  return [...isps]
    .map(([name, { queued, oldest }]) => ({ name, queued, oldestSeconds: secondsSince(oldest, now) }))
    .sort((a, b) => b.queued - a.queued);
}

type CampaignSum = Omit<CampaignLine, 'perSecond' | 'estimatedEnd'>;

/** Campaigns with mail in the queue first, the largest first; then those that have ended. */
function campaignsOf({ deps: { queue } }: Sources, { campaigns }: Sums): CampaignSum[] {
  const all: CampaignSum[] = [];
  for (const { account, campaign, ...totals } of queue.state.counters.totals()) {
    const counts = campaigns.get(`${account}\0${campaign}`) ?? noCounts();
    const { accepted, delivered, hard_bounced: hard, undelivered } = totals;
    all.push({ account, campaign, ...counts, accepted, delivered, hard, undelivered });
  }
  return all.sort((a, b) => b.total - a.total || b.accepted - a.accepted);
}

/** With its speed and end, which only those that are shown need. */
function campaignLine({ deps: { queue } }: Sources, one: CampaignSum, now: number): CampaignLine {
  const perSecond = queue.state.speeds.ofCampaign(one.account, one.campaign);
  const { estimated_end: estimatedEnd } = paceOf(one, { oldest: Infinity, perSecond }, now);
  return { ...one, perSecond, estimatedEnd };
}
