/**
 * `GET /v1/explain`: the way a message to a recipient would take, and what stands in it. Nothing takes a turn. Who asks
 * about an ISP or a domain is told of the mail to it that is due first.
 */
import type { FastifyInstance } from 'fastify';
import * as z from 'zod';
import { placeOf, type Places, writtenAt } from '../config/index.ts';
import {
  domainOf,
  err,
  type EventReply,
  ok,
  parseAddress,
  type Result,
  toAsciiDomain,
} from '../core/index.ts';
import { type Lock, lowestLimit, type SpeedLimit } from '../mta/egress/index.ts';
import { type AttemptRecord, findDelivery, listDeliveries, type QueueHead } from '../queue/index.ts';
import { type Caller, callerOf } from './caller.ts';
import type { ApiDependencies, RouteContext } from './dependencies.ts';
import { address, label } from './fields.ts';
import { lockView, type LockView, noSuchIsp } from './nodes.ts';
import { ispLabel, UNRESOLVED } from './queue-counts.ts';
import { answer, invalid, notFound, type Refused } from './refused.ts';
import { checkRequest, instead } from './shape.ts';
import { whyWaiting } from './why-waiting.ts';
import { entryView, type StopEntryView } from './stop-list.ts';

export const explainQuery = z
  .strictObject({
    recipient: address.optional(),
    isp: label
      .optional()
      .describe('In place of a recipient: that of the mail to this ISP that is due first.'),
    domain: label.optional().describe('The same of a domain.'),
    sender: label.optional(),
    virtual_sender: label.optional(),
    from: address.optional(),
    group: label.optional(),
    account_id: label.optional(),
  })
  .refine(
    ({ recipient, isp, domain }) => [recipient, isp, domain].filter((one) => one !== undefined).length === 1,
    { path: ['recipient'], message: 'give exactly one of recipient, isp and domain' },
  );

export interface ExplainedNode {
  readonly node: string;
  readonly weight: number;
  /** Whether new mail is given to it. */
  readonly takes_mail: boolean;
  readonly state: string;
  readonly address: string;
  readonly strategy: string;
  readonly strategy_at?: string | undefined;
  readonly chosen_by: string;
  readonly chosen_at?: string | undefined;
  /** How fast mail of this sender may go now, and the setting that says so. */
  readonly effective: {
    /** Recipients; null: no limit. */
    readonly per_second: number | null;
    readonly set_by?: string | undefined;
    readonly set_at?: string | undefined;
    /** Recipients of a calendar day; null: no limit. */
    readonly per_day: number | null;
    readonly per_day_set_by?: string | undefined;
    readonly per_day_set_at?: string | undefined;
  };
  readonly rate_per_second: number | null;
  readonly daily_limit: number | null;
  readonly max_sessions: number;
  readonly locks: readonly LockView[];
  readonly waiting?: string | undefined;
  /** The last thing that went wrong towards these hosts, for any mail. */
  readonly last_error?: { readonly at: string; readonly text: string } | undefined;
}

export interface ExplainedSender {
  readonly sender: string;
  readonly percent: number;
  readonly lifetime_seconds: number;
  readonly retry_rule: string;
  readonly retry_rule_at?: string | undefined;
  /** Where the sender names it. */
  readonly retry_rule_chosen_at?: string | undefined;
  readonly locks: readonly LockView[];
  readonly nodes: readonly ExplainedNode[];
}

export interface ExplainView {
  readonly recipient: string;
  readonly domain: string;
  readonly virtual_sender?: string | undefined;
  /** Place of the rule in the virtual sender, from 1. */
  readonly rule?: number | undefined;
  readonly isp: {
    readonly name: string;
    readonly matched_by: string;
    readonly entry: string;
    readonly source?: string | undefined;
    readonly at?: string | undefined;
  } | null;
  /** What speed limits are counted by. */
  readonly counted_by?: string | undefined;
  readonly hosts_from: string;
  readonly hosts: readonly {
    readonly name: string;
    readonly addresses: readonly string[];
    readonly port: number;
  }[];
  readonly problem?: string | undefined;
  /** The entry of the stop list that ends such mail, if there is one. */
  readonly stop_list?: StopEntryView | undefined;
  readonly senders: readonly ExplainedSender[];
  readonly queued: readonly {
    readonly id: string;
    readonly campaign_id?: string | undefined;
    readonly state: string;
    readonly sender: string;
    readonly node: string;
    readonly attempts: number;
    readonly next_attempt: string;
    /** What the receiver said at the last attempt that had an answer. */
    readonly last_reply?: (EventReply & { readonly at: string }) | undefined;
    readonly why_waiting?: string | undefined;
  }[];
}

const QUEUED = 20;

export function addExplain(app: FastifyInstance, { deps }: RouteContext): void {
  app.get('/v1/explain', async (request, reply) => {
    const asked = checkRequest(explainQuery, request.query);
    return answer(reply, asked.ok ? await explain(deps, asked.value, callerOf(request)) : asked);
  });
}

async function explain(
  deps: ApiDependencies,
  asked: z.infer<typeof explainQuery>,
  caller: Caller,
): Promise<Result<ExplainView, Refused>> {
  const of = recipientOf(deps, asked);
  if (!of.ok) return of;
  const recipient = of.value;
  const domain = domainOf(recipient);
  const from = asked.from ?? '';
  const queued = queuedTo(deps, recipient, caller);
  const way = (sender: string | undefined): ReturnType<ApiDependencies['preview']> =>
    deps.preview({
      sender,
      virtualSender: asked.virtual_sender,
      allowed: undefined,
      group: asked.group,
      fromEmail: from,
      fromDomain: from.slice(from.lastIndexOf('@') + 1).toLowerCase(),
      toDomain: domain,
    });
  let routed = way(asked.sender);
  // Where there are several, that of the mail that waits is meant.
  if (!routed.ok && asked.sender === undefined && asked.virtual_sender === undefined && queued[0])
    routed = way(queued[0].sender);
  if (!routed.ok) return err(invalid([{ field: routed.error.field, message: routed.error.text }]));
  const { senders, virtualSender, rule } = routed.value;
  const stopped = deps.queue.stopList.find(recipient, asked.account_id);
  const nodes = new Set(senders.flatMap(({ sender }) => sender.nodes.map(({ node }) => node)));
  const path = await deps.egress.path(domain, [...nodes]);
  return ok({
    recipient,
    domain,
    virtual_sender: virtualSender,
    rule,
    isp: path.isp
      ? {
          name: path.isp.isp.name,
          matched_by: path.isp.by,
          entry: path.isp.entry,
          source: path.isp.isp.source ?? undefined,
          at: ispPlace(path.isp, path.places),
        }
      : null,
    counted_by: path.lane,
    hosts_from: path.source,
    hosts: path.hosts,
    problem: path.problem?.text,
    stop_list: stopped && entryView(stopped),
    senders: senders.map((share) => explainedSender(deps, share, path)),
    queued,
  });
}

/** Of an ISP or a domain: of its mail that waits, held or not, what is due first. */
function recipientOf(
  deps: ApiDependencies,
  { recipient, isp, domain }: z.infer<typeof explainQuery>,
): Result<string, Refused> {
  if (recipient !== undefined) {
    const parsed = parseAddress(recipient);
    return parsed.ok ? ok(recipient) : err(invalid([{ field: 'recipient', message: parsed.error }]));
  }
  const { state } = deps.queue;
  const ispOf = (of: string): string => ispLabel(deps.egress, of);
  const selector = { isp, domain: domain && (toAsciiDomain(domain) ?? domain) };
  let first: QueueHead | undefined;
  for (const head of state.schedule.fitting(selector, ispOf))
    if (!first || head.wakeAt < first.wakeAt) first = head;
  const [slot] = first ? state.schedule.slots(first, undefined, 1) : [];
  const waiting = slot && findDelivery(state, slot.number, slot.index);
  return waiting ? ok(waiting.record.recipient) : err(notFound(nothingWaits(deps, selector)));
}

/** What the queue shows mail under that belongs to no ISP of the configuration. */
const NO_ISPS: readonly string[] = ['other', UNRESOLVED];

function nothingWaits(
  { queue, egress }: ApiDependencies,
  { isp = '', domain }: { readonly isp: string | undefined; readonly domain: string | undefined },
): string {
  if (domain !== undefined) {
    const names = new Set([...queue.state.counters.rows()].map((row) => row.domain));
    return `no mail to domain ${domain} waits${instead(domain, [...names])}`;
  }
  const wrong = NO_ISPS.includes(isp) ? undefined : noSuchIsp(egress, isp);
  return wrong === undefined ? `no mail to ISP ${isp} waits` : `ISP ${wrong}`;
}

type Preview = Extract<ReturnType<ApiDependencies['preview']>, { ok: true }>['value'];
type Path = Awaited<ReturnType<ApiDependencies['egress']['path']>>;

/** The line of the domain or mail host that matched. */
const ispPlace = ({ isp, by, entry }: NonNullable<Path['isp']>, places: Places): string | undefined =>
  placeOf(places, 'isps', isp.name, `${by === 'mx' ? 'mx' : 'domains'}.${entry}`);

function explainedSender(
  { egress, clock }: ApiDependencies,
  { sender, percent }: Preview['senders'][number],
  path: Path,
): ExplainedSender {
  const now = clock.now();
  const locks = egress.control
    .locks()
    .filter(
      ({ record }) =>
        record.scope === 'sender_isp' && record.sender === sender.name && record.lane === path.lane,
    );
  return {
    sender: sender.name,
    percent,
    lifetime_seconds: sender.lifetimeMs / 1000,
    retry_rule: sender.retry.name,
    retry_rule_at: placeOf(path.places, 'retry_rules', sender.retry.name),
    retry_rule_chosen_at: writtenAt(path.places, 'senders', sender.name, 'retry'),
    locks: locks.map((lock) => lockView(lock, now)),
    nodes: sender.nodes.flatMap(({ node, weight }) => {
      const found = path.nodes.find((one) => one.node === node);
      if (!found) return [];
      const { chosenBy, chosenAt, ratePerSecond, dailyLimit, maxSessions, limits, ...rest } = found;
      return [
        {
          ...rest,
          weight,
          takes_mail: found.state === 'running',
          strategy_at: placeOf(path.places, 'strategies', found.strategy),
          chosen_by: chosenBy,
          chosen_at: chosenAt,
          effective: effective(locks[0] ? [lockLimit(locks[0]), ...limits] : limits, sender.name),
          rate_per_second: ratePerSecond ?? null,
          daily_limit: dailyLimit,
          max_sessions: maxSessions,
          locks: found.locks.map((lock) => lockView(lock, now)),
          last_error: lastError(egress, node, path.lane),
        },
      ];
    }),
  };
}

function lastError(
  egress: ApiDependencies['egress'],
  node: string,
  key: string | undefined,
): ExplainedNode['last_error'] {
  for (const lane of egress.lanes({ node }))
    if (lane.key === key)
      return lane.lastError && { at: new Date(lane.lastError.at).toISOString(), text: lane.lastError.text };
  return undefined;
}

/** A lock of the sender at the ISP stops all its nodes there. */
const lockLimit = ({ id }: Lock): SpeedLimit => ({ setting: `lock ${id}`, perSecond: 0 });

function effective(limits: readonly SpeedLimit[], sender: string): ExplainedNode['effective'] {
  const speed = lowestLimit(limits, 'perSecond', sender);
  const day = lowestLimit(limits, 'perDay', sender);
  return {
    per_second: speed?.value ?? null,
    set_by: speed?.setting,
    set_at: speed?.at,
    per_day: day?.value ?? null,
    per_day_set_by: day?.setting,
    per_day_set_at: day?.at,
  };
}

/** Queued deliveries to the address, the oldest ones, as far as one page of the queue shows them. */
function queuedTo(deps: ApiDependencies, recipient: string, caller: Caller): ExplainView['queued'] {
  const { deliveries } = listDeliveries(deps.queue.state, {
    recipient,
    campaignId: undefined,
    state: undefined,
    after: undefined,
    limit: 1_000,
  });
  return deliveries
    .filter(({ record }) => record.final === undefined)
    .slice(0, QUEUED)
    .map((delivery) => ({
      id: delivery.id,
      campaign_id: delivery.message.campaignId,
      state: delivery.state,
      sender: delivery.record.sender,
      node: delivery.record.node,
      attempts: delivery.record.attempts.length,
      next_attempt: new Date(delivery.record.wakeAt).toISOString(),
      last_reply: lastReply(delivery.record.attempts),
      why_waiting: delivery.state === 'proc' ? undefined : whyWaiting(deps, delivery, caller),
    }));
}

function lastReply(attempts: readonly AttemptRecord[]): ExplainView['queued'][number]['last_reply'] {
  const last = attempts.findLast(({ reply }) => reply !== undefined);
  return last?.reply && { ...last.reply, at: new Date(last.at).toISOString() };
}
