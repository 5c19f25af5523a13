/** What happened to a message and its deliveries, and why those that are queued wait. */
import type { FastifyInstance } from 'fastify';
import {
  domainOf,
  err,
  type DeliveryId,
  messageIdOf,
  messageNumberOf,
  ok,
  parseDeliveryId,
  type Result,
} from '../core/index.ts';
import {
  type AttemptRecord,
  findDelivery,
  type FinalRecord,
  type FoundDelivery,
  hasContent,
  listInSlices,
  type MessageRecord,
} from '../queue/index.ts';
import { ownsDelivery } from './bounds.ts';
import { type Caller, callerOf } from './caller.ts';
import type { ApiDependencies, RouteContext } from './dependencies.ts';
import { type MarkView, markView } from './operation-view.ts';
import { ownDeliveries } from './own-deliveries.ts';
import { answer, invalid, notFound, type Refused } from './refused.ts';
import {
  deliveriesQuery,
  type DeliveriesQuery,
  deliveryPath,
  messagePath,
  type MessageQuery,
  messageQuery,
} from './schemas.ts';
import { checkRequest } from './shape.ts';
import { holdOf, whyWaiting } from './why-waiting.ts';

export interface LabelsView {
  readonly virtual_sender?: string | undefined;
  readonly campaign_id?: string | undefined;
  readonly account_id?: string | undefined;
  readonly group?: string | undefined;
  readonly band: string;
  readonly metadata?: Readonly<Record<string, unknown>> | undefined;
}

export type AttemptView = Omit<AttemptRecord, 'at'> & { readonly at: string };
export type FinalView = Omit<FinalRecord, 'at'> & { readonly at: string };

export interface DeliveryView {
  readonly id: string;
  readonly message_id: string;
  readonly recipient: string;
  readonly state: string;
  readonly labels: LabelsView;
  readonly node: string;
  readonly sender: string;
  /** Absent while nobody has asked the DNS for the domain. */
  readonly isp?: string | undefined;
  readonly accepted_at: string;
  readonly attempts: readonly AttemptView[];
  readonly next_attempt?: string | undefined;
  readonly expires: string;
  readonly why_waiting?: string | undefined;
  /** What holds it, if the caller may know. */
  readonly hold?: MarkView | undefined;
  readonly possible_duplicate?: boolean | undefined;
  readonly final?: FinalView | undefined;
}

export interface MessageView {
  readonly message_id: string;
  readonly from: string;
  readonly bytes: number;
  readonly kind: string;
  readonly labels: LabelsView;
  readonly accepted_at: string;
  readonly content_kept: boolean;
  readonly deliveries: readonly DeliveryView[];
  /** There are more deliveries than were asked for: `next` is the `cursor` of the page after this one. */
  readonly more: boolean;
  readonly next?: string | undefined;
}

export function addDeliveries(app: FastifyInstance, { deps }: RouteContext): void {
  app.get('/v1/messages/:id', async (request, reply) => {
    const path = checkRequest(messagePath, request.params);
    if (!path.ok) return answer(reply, path);
    const query = checkRequest(messageQuery, request.query);
    if (!query.ok) return answer(reply, query);
    const { id } = path.value;
    return answer(reply, await messageView(deps, { id, ...query.value, caller: callerOf(request) }));
  });
  app.get('/v1/deliveries/:id', (request, reply) => {
    const path = checkRequest(deliveryPath, request.params);
    return answer(reply, path.ok ? oneDelivery(deps, path.value.id, callerOf(request)) : path);
  });
  app.get('/v1/deliveries', async (request, reply) => {
    const query = checkRequest(deliveriesQuery, request.query);
    return answer(reply, query.ok ? ok(await list(deps, query.value, callerOf(request))) : query);
  });
}

async function messageView(
  deps: ApiDependencies,
  { id, cursor, limit, caller }: { readonly id: string; readonly caller: Caller } & MessageQuery,
): Promise<Result<MessageView, Refused>> {
  const number = messageNumberOf(id)!;
  if (cursor !== undefined && parseDeliveryId(cursor)?.number !== number)
    return err(invalid([{ field: 'cursor', message: `it is not of message ${id}` }]));
  const after = cursor as DeliveryId | undefined;
  const { own, next } = await ownDeliveries(deps.queue, caller, { number, after, limit });
  const first = own[0] ?? (after && (await ownDeliveries(deps.queue, caller, { number, limit: 1 })).own[0]);
  if (!first) return err(notFound(`no message ${id} is queued or in the history`));
  const { message } = first;
  return ok({
    message_id: messageIdOf(number),
    from: message.from,
    bytes: message.bytes,
    kind: message.kind,
    labels: labelsView(message),
    accepted_at: iso(message.createdAt),
    content_kept: hasContent(deps.queue.state, number),
    deliveries: own.map((delivery) => deliveryView(deps, delivery, caller)),
    more: next !== undefined,
    next,
  });
}

function oneDelivery(deps: ApiDependencies, id: string, caller: Caller): Result<DeliveryView, Refused> {
  const { number, index } = parseDeliveryId(id)!;
  const found = findDelivery(deps.queue.state, number, index);
  return found && ownsDelivery(caller, found)
    ? ok(deliveryView(deps, found, caller))
    : err(notFound(`no delivery ${id} is queued or in the history`));
}

async function list(deps: ApiDependencies, query: DeliveriesQuery, caller: Caller): Promise<object> {
  const { deliveries, next } = await listInSlices(deps.queue.state, {
    recipient: query.recipient,
    campaignId: query.campaign_id,
    state: query.state,
    after: query.cursor as DeliveryId | undefined,
    limit: query.limit,
    only: (delivery) => ownsDelivery(caller, delivery),
  });
  return { deliveries: deliveries.map((delivery) => deliveryView(deps, delivery, caller)), next };
}

function deliveryView(deps: ApiDependencies, delivery: FoundDelivery, caller: Caller): DeliveryView {
  const { record, message, state } = delivery;
  const queued = state === 'new' || state === 'retry';
  const hold = holdOf(deps, delivery, caller);
  return {
    id: delivery.id,
    message_id: messageIdOf(delivery.number),
    recipient: record.recipient,
    state,
    labels: labelsView(message, record.metadata),
    node: record.node,
    sender: record.sender,
    isp: deps.egress.ispOf(domainOf(record.recipient)),
    accepted_at: iso(message.createdAt),
    attempts: record.attempts.map((attempt) => ({ ...attempt, at: iso(attempt.at) })),
    next_attempt: queued ? iso(record.wakeAt) : undefined,
    expires: iso(record.expiresAt),
    why_waiting: queued || state === 'hold' ? whyWaiting(deps, delivery, caller) : undefined,
    hold: hold && markView(hold),
    possible_duplicate: record.possibleDuplicate,
    final: record.final && { ...record.final, at: iso(record.final.at) },
  };
}

function labelsView(message: MessageRecord, own?: Readonly<Record<string, unknown>>): LabelsView {
  const { virtualSender, campaignId, accountId, group, band, metadata } = message;
  return {
    virtual_sender: virtualSender,
    campaign_id: campaignId,
    account_id: accountId,
    group,
    band,
    metadata: own ? { ...metadata, ...own } : metadata,
  };
}

const iso = (ms: number): string => new Date(ms).toISOString();
