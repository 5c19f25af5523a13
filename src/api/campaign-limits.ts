/** `POST /v1/campaigns/:id/limits` and `/start`: how fast and how far a campaign may go; how they are shown. */
import { isDeepStrictEqual } from 'node:util';
import type { FastifyInstance } from 'fastify';
import * as z from 'zod';
import { err, formatDuration, ok, type Rate, type Result } from '../core/index.ts';
import {
  type CampaignCap,
  type CampaignLimit,
  type CampaignName,
  LimitsStand,
  TooManyLimits,
} from '../mta/egress/index.ts';
import { accountFor, forbidden, setsAsOperator } from './bounds.ts';
import { type Caller, callerOf } from './caller.ts';
import type { ApiDependencies, Log, RouteContext } from './dependencies.ts';
import { campaignLimits, label, type LimitsBody } from './fields.ts';
import { answer, invalid, notFound, type Refused, unavailable } from './refused.ts';
import { logOf } from './request-log.ts';
import { checkRequest } from './shape.ts';
import { Slices } from './slices.ts';

const NAMED_ACCOUNTS = 5;

export const campaignPath = z.strictObject({ id: label });
export const limitsBody = campaignLimits.extend({ account_id: label.optional() });
export const startBody = z.strictObject({ account_id: label.optional() }).nullish();

export interface CampaignLimitsView {
  readonly rate?: string | undefined;
  /** The speed of now, where it grows. */
  readonly rate_now?: string | undefined;
  readonly per_start?: number | undefined;
  readonly growth?: { readonly from: string; readonly percent: number; readonly every: string } | undefined;
  readonly started_at: string;
  /** Recipients since the start. */
  readonly sent: number;
}

export interface LimitedCampaign {
  readonly account_id: string;
  readonly campaign_id: string;
  readonly limits: CampaignLimitsView | null;
}

export function addCampaignLimits(app: FastifyInstance, { deps }: RouteContext): void {
  app.post('/v1/campaigns/:id/limits', async (request, reply) => {
    const path = checkRequest(campaignPath, request.params);
    if (!path.ok) return answer(reply, path);
    const body = checkRequest(limitsBody, request.body ?? {});
    if (!body.ok) return answer(reply, body);
    const { account_id, ...limits } = body.value;
    const named = await nameOf(deps, callerOf(request), { account: account_id, campaign: path.value.id });
    if (!named.ok) return answer(reply, named);
    const name = named.value;
    const sources = { egress: deps.egress, log: logOf(deps, request), caller: callerOf(request) };
    const set = await setLimits(sources, name, limits);
    return answer(reply, set.ok ? ok(limitedCampaign(deps, name)) : set);
  });
  app.post('/v1/campaigns/:id/start', async (request, reply) => {
    const path = checkRequest(campaignPath, request.params);
    if (!path.ok) return answer(reply, path);
    const body = checkRequest(startBody, request.body);
    if (!body.ok) return answer(reply, body);
    const caller = callerOf(request);
    const named = await nameOf(deps, caller, {
      account: body.value?.account_id,
      campaign: path.value.id,
    });
    if (!named.ok) return answer(reply, named);
    const name = named.value;
    const sources = { log: logOf(deps, request), caller };
    const started = await stored(sources, 'the start of a campaign', () =>
      deps.egress.campaigns.start(name, `campaign ${name.campaign} was started`, {
        bound: !setsAsOperator(caller),
      }),
    );
    if (!started.ok) return answer(reply, started);
    const none = notFound(`campaign ${name.campaign} has no limits: set them with POST .../limits`);
    return answer(reply, started.value ? ok(limitedCampaign(deps, name)) : err(none));
  });
}

/** The campaign that is meant. Without an account it is none of the accounts that have one of that name. */
async function nameOf(
  { queue, egress }: ApiDependencies,
  caller: Caller,
  { account: given, campaign }: { readonly account: string | undefined; readonly campaign: string },
): Promise<Result<CampaignName, Refused>> {
  const account = accountFor(caller, given);
  if (!account.ok) return account;
  const name = { account: account.value ?? '', campaign };
  const { counters } = queue.state;
  if (name.account !== '' || egress.campaigns.of(name) || counters.totalsOf('', campaign)) return ok(name);
  const others: string[] = [];
  await new Slices().each(counters.totals(), (one) => {
    if (one.campaign === campaign) others.push(one.account);
  });
  if (others.length === 0) return ok(name);
  const message = `campaign ${campaign} is of ${others.slice(0, NAMED_ACCOUNTS).join(', ')}: name its account (--account ${others[0]})`;
  return err(invalid([{ field: 'account_id', message }]));
}

/** Replaces the limits of a campaign; a body that names none takes them away. */
export async function setLimits(
  { egress, ...asked }: Pick<ApiDependencies, 'egress'> & Asked,
  name: CampaignName,
  body: LimitsBody,
): Promise<Result<void, Refused>> {
  const limit = limitOf(body);
  const texts = Object.entries(body).map(([what, value]) => `${what} ${JSON.stringify(value)}`);
  const reason = `limits of campaign ${name.campaign}: ${texts.join(', ') || 'none'}`;
  const bound = !setsAsOperator(asked.caller);
  return stored(asked, 'the limits of a campaign', () =>
    egress.campaigns.set(name, limit, reason, { bound }),
  );
}

/** Limits in the first line of a batch: where they change some that stand, the log of operators has it. */
export async function setLimitsOfBatch(
  { queue, egress, ...asked }: Pick<ApiDependencies, 'queue' | 'egress'> & Asked,
  name: CampaignName,
  body: LimitsBody,
): Promise<Result<void, Refused>> {
  const before = egress.campaigns.of(name);
  const set = (): Promise<Result<void, Refused>> => setLimits({ egress, ...asked }, name, body);
  if (!before || isDeepStrictEqual(before.limit, limitOf(body))) return set();
  const { kind, name: by, address } = asked.caller;
  const selector = { id: name.campaign, ...(name.account !== '' && { account_id: name.account }), ...body };
  const action = { operator: { kind, name: by, address }, action: 'campaign limits', selector };
  const logged = 'an entry of the log of operators';
  const entry = await stored(asked, logged, () => queue.operatorLog.begin(action));
  if (!entry.ok) return entry;
  const done = await set();
  const result = done.ok
    ? ({ result: 'done' } as const)
    : {
        result: done.error.status < 500 ? ('refused' as const) : ('failed' as const),
        message: done.error.message,
      };
  await stored(asked, logged, () => queue.operatorLog.end(entry.value, result));
  return done;
}

interface Asked {
  readonly log: Log;
  readonly caller: Caller;
}

/** `what` the store is to take. */
async function stored<T>(
  { log, caller }: Asked,
  what: string,
  run: () => Promise<T>,
): Promise<Result<T, Refused>> {
  try {
    return ok(await run());
  } catch (error) {
    if (error instanceof LimitsStand)
      return err(forbidden('limits', `${error.message}, and the token ${caller.name} may not change them`));
    if (error instanceof TooManyLimits) return err(invalid([{ field: 'limits', message: error.message }]));
    log.error({ err: error }, `the store did not take ${what}`);
    return err(unavailable('the store takes nothing now; postrider status says why'));
  }
}

function limitOf({ rate, per_start: perStart, growth }: LimitsBody): CampaignLimit | undefined {
  if (rate === undefined && perStart === undefined && growth === undefined) return undefined;
  return {
    ...(rate && { rate }),
    ...(perStart !== undefined && { perStart }),
    ...(growth && { growth: { from: growth.from, percent: growth.percent, everyMs: growth.every } }),
  };
}

function limitedCampaign({ egress }: ApiDependencies, name: CampaignName): LimitedCampaign {
  const cap = egress.campaigns.of(name);
  return { account_id: name.account, campaign_id: name.campaign, limits: cap ? limitsView(cap) : null };
}

export function limitsView(cap: CampaignCap): CampaignLimitsView {
  const { rate, perStart, growth } = cap.limit;
  return {
    ...(rate && { rate: rateText(rate) }),
    ...(growth && cap.rate && { rate_now: rateText(cap.rate) }),
    ...(perStart !== undefined && { per_start: perStart }),
    ...(growth && {
      growth: {
        from: rateText(growth.from),
        percent: growth.percent,
        every: formatDuration(growth.everyMs),
      },
    }),
    started_at: new Date(cap.start).toISOString(),
    sent: cap.used,
  };
}

const rateText = ({ count, perMs }: Rate): string => `${count}/${formatDuration(perMs)}`;
