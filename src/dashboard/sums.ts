/** The queue and the campaigns summed up for the page, in slices: there may be tens of thousands of rows. */
import {
  addRow,
  type ApiDependencies,
  heldOf,
  ispLabel,
  noCounts,
  type QueueCounts,
  type Slices,
} from '../api/index.ts';
import { oldestOf, oldestQueued, TEST_CAMPAIGN } from '../queue/index.ts';
import type { CellCounts } from './cells.ts';
import { PairMap } from './pair-map.ts';
import type { CampaignLine } from './view.ts';

export interface QueueSums {
  readonly all: QueueCounts;
  /** By node and ISP. */
  readonly cells: PairMap<CellCounts>;
  /** What is not leased, by node. */
  readonly nodes: ReadonlyMap<string, number>;
  readonly isps: ReadonlyMap<string, { readonly queued: number; readonly oldest: number }>;
  readonly senders: ReadonlyMap<string, QueueCounts>;
  /** Deliveries of a sender that ended, per second, in the last minutes. */
  readonly senderSpeeds: ReadonlyMap<string, number>;
  /** By account and campaign. */
  readonly campaigns: PairMap<QueueCounts>;
}

/** One pass over the rows of the queue. */
export async function sumQueue(deps: ApiDependencies, slices: Slices): Promise<QueueSums> {
  const sums = {
    all: noCounts(),
    cells: new PairMap<CellCounts>(),
    nodes: new Map<string, number>(),
    isps: new Map<string, { queued: number; oldest: number }>(),
    senders: new Map<string, QueueCounts>(),
    senderSpeeds: new Map<string, number>(),
    campaigns: new PairMap<QueueCounts>(),
  };
  const ispOf = new Map<string, string>();
  const { counters } = deps.queue.state;
  // What the last sweep found may have ended since: no part is older than the whole.
  const oldest = oldestQueued(deps.queue.state) ?? Infinity;
  await slices.each(counters.rows(), (row) => {
    let isp = ispOf.get(row.domain);
    if (isp === undefined) ispOf.set(row.domain, (isp = ispLabel(deps.egress, row.domain)));
    const { node } = row;
    const held = heldOf(deps.queue, row);
    const at = Math.max(oldest, oldestOf(deps.queue.state, row));
    const cell = sums.cells.entry(node, isp, () => ({ node, isp, oldest: at, ...noCounts() }));
    cell.oldest = Math.min(cell.oldest, at);
    addRow(cell, row, held);
    addRow(sums.all, row, held);
    addRow(entry(sums.senders, row.sender, noCounts), row, held);
    addRow(sums.campaigns.entry(row.account, row.campaign, noCounts), row, held);
    sums.nodes.set(node, (sums.nodes.get(node) ?? 0) + row.new + row.retry);
    const ofIsp = entry(sums.isps, isp, () => ({ queued: 0, oldest: at }));
    ofIsp.queued += row.new + row.retry;
    ofIsp.oldest = Math.min(ofIsp.oldest, at);
  });
  await slices.each(deps.queue.state.speeds.rows(), ({ sender, perSecond }) => {
    sums.senderSpeeds.set(sender, (sums.senderSpeeds.get(sender) ?? 0) + perSecond);
  });
  return sums;
}

export type CampaignSum = Omit<CampaignLine, 'perSecond' | 'estimatedEnd'>;

export interface CampaignSums {
  /** With mail in the queue first, the largest first; then those that have ended. */
  readonly campaigns: readonly CampaignSum[];
  /** Without test sends and copies. */
  readonly totals: { readonly accepted: number; readonly delivered: number; readonly failed: number };
}

export async function sumCampaigns(
  { queue }: ApiDependencies,
  queued: QueueSums['campaigns'],
  slices: Slices,
): Promise<CampaignSums> {
  const campaigns: CampaignSum[] = [];
  const sums = { accepted: 0, delivered: 0, failed: 0 };
  await slices.each(queue.state.counters.totals(), ({ account, campaign, ...totals }) => {
    const { accepted, delivered, hard_bounced: hard, undelivered, removed } = totals;
    if (campaign !== TEST_CAMPAIGN) {
      sums.accepted += accepted;
      sums.delivered += delivered;
      sums.failed += hard + undelivered + removed;
    }
    const counts = queued.get(account, campaign) ?? noCounts();
    campaigns.push({ account, campaign, ...counts, accepted, delivered, hard, undelivered });
  });
  slices.run(() => campaigns.sort((a, b) => b.total - a.total || b.accepted - a.accepted));
  return { campaigns, totals: sums };
}

function entry<T>(map: Map<string, T>, key: string, create: () => T): T {
  let value = map.get(key);
  if (value === undefined) map.set(key, (value = create()));
  return value;
}
