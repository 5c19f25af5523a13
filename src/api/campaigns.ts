/** `GET /v1/campaigns`: how the mail of each campaign went, what of it is queued, and how fast it goes; in pages. */
import type { FastifyInstance } from 'fastify';
import { oldestOf, oldestQueued, type Row, type RowKey, type Totals } from '../queue/index.ts';
import { owns } from './bounds.ts';
import { type Caller, callerOf } from './caller.ts';
import { type CampaignLimitsView, limitsView } from './campaign-limits.ts';
import type { ApiDependencies, RouteContext } from './dependencies.ts';
import { firstOf } from './first-of.ts';
import { answerList } from './long-list.ts';
import { type Pace, Paced, type SpeedOf } from './pace.ts';
import { heldOf, ispLabel, type QueueCounts } from './queue-counts.ts';
import { answer } from './refused.ts';
import { campaignCursor, type CampaignsQuery, campaignsQuery } from './schemas.ts';
import { checkRequest } from './shape.ts';
import { Slices } from './slices.ts';

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

type CampaignName = Pick<RowKey, 'account' | 'campaign'>;

export function addCampaigns(app: FastifyInstance, { deps }: RouteContext): void {
  app.get('/v1/campaigns', async (request, reply) => {
    const query = checkRequest(campaignsQuery, request.query);
    if (!query.ok) return answer(reply, query);
    const slices = new Slices();
    const { page, next } = await pageOf(deps, { ...query.value, caller: callerOf(request) }, slices);
    const found = await foundOf(deps, page, slices);
    const now = deps.clock.now();
    const first = oldestQueued(deps.queue.state) ?? Infinity;
    // What is made of a campaign is of one moment, so that its counts add up.
    const view = (one: CampaignName): CampaignView =>
      viewOf(deps, one, { ...found.get(nameOf(one))!, now, first });
    return answerList(reply, { name: 'campaigns', items: page, view, rest: { next } }, slices);
  });
}

interface Asked extends CampaignsQuery {
  readonly caller: Caller;
}

interface Page {
  readonly page: readonly CampaignName[];
  readonly next: string | undefined;
}

/** In the order of account and campaign, so that a page follows the other whatever comes in between. */
async function pageOf({ queue }: ApiDependencies, asked: Asked, slices: Slices): Promise<Page> {
  const { account_id, campaign_id, cursor, limit, caller } = asked;
  const isWanted = (one: CampaignName): boolean =>
    owns(caller, one) &&
    (cursor === undefined || nameOf(one) > cursor) &&
    (account_id === undefined || one.account === account_id) &&
    (campaign_id === undefined || one.campaign === campaign_id);
  const wanted: { readonly name: string; readonly one: CampaignName }[] = [];
  await slices.each(queue.state.counters.totals(), (one) => {
    if (isWanted(one)) wanted.push({ name: nameOf(one), one });
  });
  // One more tells that there is another page.
  const first = await firstOf(wanted, {
    order: (a, b) => (a.name < b.name ? -1 : 1),
    count: limit + 1,
    slices,
  });
  const page = first.slice(0, limit);
  const last = page.at(-1);
  return {
    page: page.map(({ one }) => one),
    next: last && first.length > page.length ? campaignCursor(last.name) : undefined,
  };
}

interface Found {
  readonly rows: Readonly<Row>[];
  readonly speeds: SpeedOf[];
}

/** By campaign of the page. */
async function foundOf(
  { queue }: ApiDependencies,
  page: readonly CampaignName[],
  slices: Slices,
): Promise<ReadonlyMap<string, Found>> {
  const found = new Map<string, Found>(page.map((one) => [nameOf(one), { rows: [], speeds: [] }]));
  const { counters, speeds } = queue.state;
  await slices.each(counters.rows(), (row) => void found.get(nameOf(row))?.rows.push(row));
  await slices.each(speeds.rows(), (speed) => void found.get(nameOf(speed))?.speeds.push(speed));
  return found;
}

interface Counted extends Readonly<Found> {
  readonly now: number;
  /** The oldest acceptance of all: none of a campaign is older. */
  readonly first: number;
}

function viewOf(
  { queue, egress }: ApiDependencies,
  { account, campaign }: CampaignName,
  { rows, speeds, now, first }: Counted,
): CampaignView {
  const isp = (domain: string): string => ispLabel(egress, domain);
  const sum = new Paced(now);
  const cap = egress.campaigns.of({ account, campaign });
  for (const row of rows)
    if (row.new + row.retry > 0)
      sum.add(row, {
        isp: isp(row.domain),
        held: heldOf(queue, row),
        oldest: Math.max(first, oldestOf(row)),
        cap,
      });
  for (const speed of speeds) sum.addSpeed(isp(speed.domain), speed);
  const { total, ...states } = sum.counts;
  return {
    account_id: account,
    campaign_id: campaign,
    ...queue.state.counters.totalsOf(account, campaign)!,
    queued: total,
    ...states,
    ...sum.pace(queue.state.speeds.ofCampaign(account, campaign)),
    ...(cap && { limits: limitsView(cap) }),
  };
}

const nameOf = ({ account, campaign }: CampaignName): string => `${account}\0${campaign}`;
