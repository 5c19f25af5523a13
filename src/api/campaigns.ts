/** `GET /v1/campaigns`: how the mail of each campaign went, what of it is queued, and how fast it goes; in pages. */
import type { FastifyInstance } from 'fastify';
import { ok } from '../core/index.ts';
import { rowName, type Totals } from '../queue/index.ts';
import { owns } from './bounds.ts';
import { type Caller, callerOf } from './caller.ts';
import { type CampaignLimitsView, limitsView } from './campaign-limits.ts';
import type { ApiDependencies, RouteContext } from './dependencies.ts';
import { type Pace, paceOf } from './pace.ts';
import { addRow, heldOf, noCounts, type QueueCounts } from './queue-counts.ts';
import { answer } from './refused.ts';
import { campaignCursor, type CampaignsQuery, campaignsQuery } from './schemas.ts';
import { checkRequest } from './shape.ts';

/** `queued` is the sum of `new`, `proc`, `retry` and `hold`. */
export interface CampaignView extends Readonly<Totals>, Readonly<Omit<QueueCounts, 'total'>>, Pace {
  readonly account_id: string;
  readonly campaign_id: string;
  readonly queued: number;
  readonly limits?: CampaignLimitsView | undefined;
}

export interface CampaignsView {
  readonly campaigns: readonly CampaignView[];
  /** Cursor of the next page; absent at the end. */
  readonly next?: string | undefined;
}

type CampaignTotals = Totals & { readonly account: string; readonly campaign: string };

export function addCampaigns(app: FastifyInstance, { deps }: RouteContext): void {
  app.get('/v1/campaigns', (request, reply) => {
    const query = checkRequest(campaignsQuery, request.query);
    return answer(reply, query.ok ? ok(campaignsView(deps, query.value, callerOf(request))) : query);
  });
}

/** In the order of account and campaign, so that a page follows the other whatever comes in between. */
function campaignsView(
  deps: ApiDependencies,
  { account_id, campaign_id, cursor, limit }: CampaignsQuery,
  caller: Caller,
): CampaignsView {
  const all: { readonly name: string; readonly one: CampaignTotals }[] = [];
  for (const one of deps.queue.state.counters.totals()) {
    const name = nameOf(one);
    if (!owns(caller, one) || (cursor !== undefined && name <= cursor)) continue;
    const wanted =
      (account_id === undefined || one.account === account_id) &&
      (campaign_id === undefined || one.campaign === campaign_id);
    if (wanted) all.push({ name, one });
  }
  all.sort((a, b) => (a.name < b.name ? -1 : 1));
  const page = all.slice(0, limit);
  const last = page.at(-1);
  return {
    campaigns: viewsOf(
      deps,
      page.map(({ one }) => one),
    ),
    ...(last && all.length > page.length && { next: campaignCursor(last.name) }),
  };
}

function viewsOf({ queue, egress, clock }: ApiDependencies, page: readonly CampaignTotals[]): CampaignView[] {
  const { counters, oldest, speeds } = queue.state;
  const queued = new Map(page.map((one) => [nameOf(one), { counts: noCounts(), oldest: Infinity }]));
  for (const row of counters.rows()) {
    const sum = queued.get(nameOf(row));
    if (!sum) continue;
    addRow(sum.counts, row, heldOf(queue, row));
    sum.oldest = Math.min(sum.oldest, oldest.get(rowName(row)) ?? Infinity);
  }
  const now = clock.now();
  return page.map(({ account, campaign, ...totals }) => {
    const { counts, oldest: since } = queued.get(`${account}\0${campaign}`)!;
    const { total, ...states } = counts;
    const perSecond = speeds.ofCampaign(account, campaign);
    const cap = egress.campaigns.of({ account, campaign });
    return {
      account_id: account,
      campaign_id: campaign,
      ...totals,
      queued: total,
      ...states,
      ...paceOf(counts, { oldest: since, perSecond }, now),
      ...(cap && { limits: limitsView(cap) }),
    };
  });
}

const nameOf = ({ account, campaign }: Pick<CampaignTotals, 'account' | 'campaign'>): string =>
  `${account}\0${campaign}`;
