/** Puts together what the page shows, from the counts of the queue, the sending side and what was observed. */
import { type ApiDependencies, type Pace, Paced, type Slices } from '../api/index.ts';
import { oldestQueued } from '../queue/index.ts';
import { cellsOf, errorOf, secondsSince } from './cells.ts';
import { LockBook, toldLock } from './locks.ts';
import type { Observer } from './observer.ts';
import { campaignPart, GridIndex } from './parts.ts';
import { type CampaignSum, type QueueSums, sumCampaigns, sumQueue } from './sums.ts';
import type { CampaignLine, Found, IspLine, Look, NodeLine, PaceLine, SenderLine, Snapshot } from './view.ts';

const MOST_SENDERS = 50;
const TOP_REFUSALS = 20;
const MOST_ALERTS = 10;

const FROM_THE_START: Look = { grid: '', row: 0, column: 0, campaigns: '', campaign: 0 };

export interface Sources {
  readonly deps: ApiDependencies;
  readonly observer: Observer;
}

/**
 * One look at everything: what all pages are shown, and what each may look at in the rest. `full`: for somebody who has
 * signed in; without, no text of a receiver is in it.
 */
export interface Picture {
  readonly snapshot: (full: boolean) => Snapshot;
  readonly find: (look: Look, full: boolean) => Found;
}

/** In slices, so no step of it holds the thread for long, however large the site is. */
export async function takePicture({ deps, observer }: Sources, slices: Slices): Promise<Picture> {
  const now = deps.clock.now();
  const sums = await sumQueue(deps, now, slices);
  const { campaigns, totals } = await sumCampaigns(deps, sums.campaigns, slices);
  const nodes = slices.run(() => deps.egress.nodeFigures());
  const locks = new LockBook(deps.egress.control.locks());
  const { egress } = deps;
  const seen = slices.run(() => seenOf({ deps, observer }, sums, now));
  const cells = await cellsOf({ observer, egress, nodes, counts: sums.cells, locks, now }, slices);
  const grid = new GridIndex({ cells: cells.all, nodes, isps: ispLines(sums, now) });
  const find: Picture['find'] = (look, full) => ({
    look,
    grid: grid.part(look, (cell) => cells.view(cell, full)),
    campaigns: campaignPart(campaigns, look, (one) => campaignLine(deps, one, now)),
  });
  const snapshot: Picture['snapshot'] = (full) => {
    const first = find(FROM_THE_START, full);
    return {
      ...seen,
      alerts: seen.alerts.map((one) => (full ? one : { ...one, text: undefined })),
      totals,
      nodes: nodes.map((node): NodeLine => ({
        name: node.name,
        address: node.address,
        state: node.state,
        stateSince: node.stateSince,
        sessions: node.sessions,
        maxSessions: node.maxSessions,
        delivered: node.delivered,
        attempts: node.attempts,
        queued: sums.nodes.get(node.name) ?? 0,
        lock: toldLock(locks.of(node.name, undefined), full),
        warmup: cells.warmups.get(node.name),
        lastError: errorOf(node.lastError, full),
      })),
      worst: cells.worst.map((cell) => cells.view(cell, full)),
      notGood: cells.notGood,
      grid: first.grid,
      campaigns: first.campaigns,
      refusals: seen.refusals.map((one) => (full ? one : { ...one, text: undefined, example: undefined })),
    };
  };
  return { snapshot, find };
}

type Seen = Pick<
  Snapshot,
  | 'at'
  | 'version'
  | 'hostname'
  | 'started'
  | 'lastDelivered'
  | 'ready'
  | 'notReady'
  | 'alerts'
  | 'alertCount'
  | 'hour'
  | 'minute'
  | 'queue'
  | 'senders'
  | 'refusals'
>;

/**
 * What goes on counting, taken when the sums are and not when somebody is shown them: who signs in is shown the last
 * picture, and would see more delivered than was ever queued.
 */
function seenOf({ deps, observer }: Sources, sums: QueueSums, now: number): Seen {
  const { version, hostname, started, ready, notReady, alerts } = deps.status();
  const oldest = oldestQueued(deps.queue.state) ?? Infinity;
  return {
    at: now,
    version,
    hostname,
    started,
    lastDelivered: observer.lastDelivered,
    ready,
    notReady,
    alerts: alerts.slice(0, MOST_ALERTS),
    alertCount: alerts.length,
    hour: observer.hour.series(now),
    minute: observer.minute.series(now),
    queue: { ...sums.all, oldestSeconds: secondsSince(oldest, now) },
    senders: senderLines(deps, sums, now),
    refusals: observer.refusals.top(TOP_REFUSALS, now),
  };
}

const ispLines = ({ isps }: QueueSums, now: number): IspLine[] =>
  [...isps]
    .map(([name, { queued, oldest }]) => ({ name, queued, oldestSeconds: secondsSince(oldest, now) }))
    .sort((a, b) => b.queued - a.queued);

const senderLines = ({ queue }: ApiDependencies, { senders }: QueueSums, now: number): SenderLine[] =>
  [...senders]
    .sort(([, a], [, b]) => b.counts.total - a.counts.total)
    .slice(0, MOST_SENDERS)
    .map(([sender, paced]) => ({
      sender,
      ...paced.counts,
      ...paceLine(paced.pace()),
      endedToday: queue.state.endedToday.of(sender, now),
    }));

/** With its speed and end, which only those that are shown need. */
function campaignLine({ queue }: ApiDependencies, { paced, ...one }: CampaignSum, now: number): CampaignLine {
  const perSecond = queue.state.speeds.ofCampaign(one.account, one.campaign);
  return { ...one, ...paceLine((paced ?? new Paced(now)).pace(perSecond)) };
}

const paceLine = ({ per_second, estimated_end, earliest_end }: Pace): PaceLine => ({
  perSecond: per_second,
  estimatedEnd: estimated_end,
  earliestEnd: earliest_end,
});
