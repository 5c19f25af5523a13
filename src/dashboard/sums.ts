/** The queue and the campaigns summed up for the page, in slices: there may be tens of thousands of rows. */
import {
  addRow,
  type ApiDependencies,
  heldOf,
  ispLabel,
  noCounts,
  Paced,
  type QueueCounts,
  type Slices,
} from '../api/index.ts';
import { oldestOf, oldestQueued, type Row, TEST_CAMPAIGN } from '../queue/index.ts';
import type { CellCounts } from './cells.ts';
import { PairMap } from './pair-map.ts';
import type { CampaignLine, PaceLine } from './view.ts';

export interface QueueSums {
  readonly all: QueueCounts;
  /** By node and ISP. */
  readonly cells: PairMap<CellCounts>;
  /** What is not leased, by node. */
  readonly nodes: ReadonlyMap<string, number>;
  readonly isps: ReadonlyMap<string, { readonly queued: number; readonly oldest: number }>;
  readonly senders: ReadonlyMap<string, Paced>;
  /** By account and campaign. */
  readonly campaigns: PairMap<Paced>;
}

type CellSum = CellCounts & {
  /** Acceptance of the oldest of `first` (wall ms). */
  firstAt: number;
};

/** One pass over the rows of the queue. */
export async function sumQueue(deps: ApiDependencies, now: number, slices: Slices): Promise<QueueSums> {
  const sums = {
    all: noCounts(),
    cells: new PairMap<CellSum>(),
    nodes: new Map<string, number>(),
    isps: new Map<string, { queued: number; oldest: number }>(),
    senders: new Map<string, Paced>(),
    campaigns: new PairMap<Paced>(),
  };
  const known = new Map<string, string>();
  const ispOf = (domain: string): string => entry(known, domain, () => ispLabel(deps.egress, domain));
  const paced = (): Paced => new Paced(now);
  const { counters, endedToday, speeds } = deps.queue.state;
  // What the last sweep found may have ended since: no part is older than the whole.
  const oldest = oldestQueued(deps.queue.state) ?? Infinity;
  await slices.each(counters.rows(), (row) => {
    const { node } = row;
    const isp = ispOf(row.domain);
    const held = heldOf(deps.queue, row);
    const at = Math.max(oldest, oldestOf(row));
    const cell = sums.cells.entry(node, isp, () => ({
      node,
      isp,
      oldest: at,
      firstAt: Infinity,
      ...noCounts(),
    }));
    cell.oldest = Math.min(cell.oldest, at);
    if (hasUntried(row, held) && (!cell.first || at < cell.firstAt)) [cell.first, cell.firstAt] = [row, at];
    addRow(cell, row, held);
    addRow(sums.all, row, held);
    const place = { isp, held, oldest: at, cap: deps.egress.campaigns.of(row) };
    entry(sums.senders, row.sender, paced).add(row, place);
    sums.campaigns.entry(row.account, row.campaign, paced).add(row, place);
    sums.nodes.set(node, (sums.nodes.get(node) ?? 0) + row.new + row.retry);
    const ofIsp = entry(sums.isps, isp, () => ({ queued: 0, oldest: at }));
    ofIsp.queued += row.new + row.retry;
    ofIsp.oldest = Math.min(ofIsp.oldest, at);
  });
  // Those that are through are shown too.
  await slices.each(endedToday.senders(now), (sender) => void entry(sums.senders, sender, paced));
  await slices.each(speeds.rows(), (row) => {
    const isp = ispOf(row.domain);
    sums.senders.get(row.sender)?.addSpeed(isp, row);
    sums.campaigns.get(row.account, row.campaign)?.addSpeed(isp, row);
  });
  return sums;
}

/** What was put off waits for its next attempt, whatever else there is. */
const hasUntried = ({ new: fresh, retry, proc }: Readonly<Row>, held: number): boolean =>
  fresh > 0 && fresh + retry - proc > held;

export type CampaignSum = Omit<CampaignLine, keyof PaceLine> & {
  /** Absent: nothing of it is queued. */
  readonly paced: Paced | undefined;
};

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
    const paced = queued.get(account, campaign);
    const counts = paced?.counts ?? noCounts();
    campaigns.push({ account, campaign, ...counts, accepted, delivered, hard, undelivered, paced });
  });
  slices.run(() => campaigns.sort((a, b) => b.total - a.total || b.accepted - a.accepted));
  return { campaigns, totals: sums };
}

function entry<T>(map: Map<string, T>, key: string, create: () => T): T {
  let value = map.get(key);
  if (value === undefined) map.set(key, (value = create()));
  return value;
}
