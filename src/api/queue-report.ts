/** `GET /v1/queue`: what is queued, grouped as asked, and the conservation figures per campaign. */
import type { FastifyInstance } from 'fastify';
import { ok } from '../core/index.ts';
import { isBound, owns, ownsSelector } from './bounds.ts';
import { type Caller, callerOf } from './caller.ts';
import type { ApiDependencies, RouteContext } from './dependencies.ts';
import {
  addRow,
  heldOf,
  ispLabel,
  noCounts,
  type QueueCounts,
  type QueueTotals,
  queueTotals,
} from './queue-counts.ts';
import { type MarkView, markView } from './operation-view.ts';
import { answer } from './refused.ts';
import { type Group, noQuery, queueQuery } from './schemas.ts';
import { checkRequest } from './shape.ts';

export type QueueRow = QueueCounts & { readonly [group in Group]?: string };

export interface QueueReport {
  readonly rows: readonly QueueRow[];
  /** Rows left out because of `limit`, the smallest ones. */
  readonly more_rows: number;
  readonly totals: QueueTotals;
  /** What operators hold, and released of that; the last one that fits decides. */
  readonly marks: readonly MarkView[];
}

export interface CampaignView {
  readonly account_id: string;
  readonly campaign_id: string;
  readonly accepted: number;
  readonly delivered: number;
  readonly hard_bounced: number;
  readonly undelivered: number;
  readonly removed: number;
  readonly soft_bounces: number;
  readonly complaints: number;
  readonly unsubscribes: number;
  readonly queued: number;
}

export function addQueueReport(app: FastifyInstance, { deps }: RouteContext): void {
  app.get('/v1/queue', (request, reply) => {
    const query = checkRequest(queueQuery, request.query);
    return answer(reply, query.ok ? ok(report(deps, query.value, callerOf(request))) : query);
  });
  app.get('/v1/campaigns', (request, reply) => {
    const query = checkRequest(noQuery, request.query);
    return answer(reply, query.ok ? ok({ campaigns: campaigns(deps, callerOf(request)) }) : query);
  });
}

function report(
  deps: ApiDependencies,
  { group_by: groups, limit }: { readonly group_by: readonly Group[]; readonly limit: number },
  caller: Caller,
): QueueReport {
  const bound = isBound(caller);
  const own = noCounts();
  const rows = new Map<string, QueueRow>();
  for (const row of deps.queue.state.counters.rows()) {
    if (bound && !owns(caller, row)) continue;
    const values = groups.map((group) => (group === 'isp' ? ispLabel(deps.egress, row.domain) : row[group]));
    const key = values.join('\0');
    let sum = rows.get(key);
    if (!sum) {
      sum = { ...Object.fromEntries(groups.map((group, i) => [group, values[i]!])), ...noCounts() };
      rows.set(key, sum);
    }
    const held = heldOf(deps.queue, row);
    addRow(sum, row, held);
    if (bound) addRow(own, row, held);
  }
  const sorted = [...rows.values()].sort((a, b) => b.total - a.total);
  return {
    rows: sorted.slice(0, limit),
    more_rows: Math.max(0, sorted.length - limit),
    totals: bound ? { ...own, quarantined: 0, oldest_seconds: undefined } : queueTotals(deps),
    marks: deps.queue.state.holds.marks
      .filter(({ selector }) => ownsSelector(caller, selector))
      .map(markView),
  };
}

function campaigns({ queue }: ApiDependencies, caller: Caller): CampaignView[] {
  const queued = new Map<string, number>();
  for (const { account, campaign, new: fresh, retry } of queue.state.counters.rows()) {
    const key = `${account}\0${campaign}`;
    queued.set(key, (queued.get(key) ?? 0) + fresh + retry);
  }
  const own = [...queue.state.counters.totals()].filter((one) => owns(caller, one));
  return own.map(({ account, campaign, ...totals }) => ({
    account_id: account,
    campaign_id: campaign,
    ...totals,
    queued: queued.get(`${account}\0${campaign}`) ?? 0,
  }));
}
