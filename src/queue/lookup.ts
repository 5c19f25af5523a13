/** Reading the queue: one delivery, a message's deliveries, and lists by recipient, campaign or state. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  type DeliveryId,
  deliveryIdOf,
  domainOf,
  err,
  ok,
  parseDeliveryId,
  type Result,
} from '../core/index.ts';
import { deliveryKey, numberKey, parseDeliveryKey } from './keys.ts';
import { deliveryFrom, type SharedFacts, type StoredDelivery } from './leasing.ts';
import type { Entry, Kv, RangeOptions } from './kv.ts';
import { type Sought, type Span, whereToLook } from './recipient-index.ts';
import { type Delivery, healthy, type SharedMessage, unseal } from './records.ts';
import type { QueueState } from './state.ts';

export type DeliveryState = 'new' | 'proc' | 'retry' | 'hold' | 'delivered' | 'hard_bounce' | 'undelivered';

export interface FoundDelivery extends Delivery {
  readonly state: DeliveryState;
}

export interface ListRequest {
  readonly recipient?: string | undefined;
  readonly campaignId?: string | undefined;
  readonly state?: DeliveryState | undefined;
  /** Others are passed over. */
  readonly only?: ((delivery: FoundDelivery) => boolean) | undefined;
  /** Continue after this delivery. */
  readonly after?: DeliveryId | undefined;
  readonly limit: number;
}

export interface DeliveryList {
  readonly deliveries: readonly FoundDelivery[];
  /** Cursor for the next page; undefined at the end. */
  readonly next: DeliveryId | undefined;
}

/** Records read for one page at most, so that a rare match does not take for ever. */
const SCAN = 20_000;
/** And between two turns of the event loop, where the caller can wait. */
const SLICE = 1_000;

function found(state: QueueState, delivery: Delivery): FoundDelivery {
  const { record, number, index } = delivery;
  if (record.final) return { ...delivery, state: record.final.type };
  if (state.leases.of(number, index) !== undefined) return { ...delivery, state: 'proc' };
  if (state.schedule.find(delivery)?.held) return { ...delivery, state: 'hold' };
  return { ...delivery, state: record.attempts.length > 0 ? 'retry' : 'new' };
}

/** A delivery, queued or finished; undefined when it is unknown or its history is over. */
export function findDelivery(state: QueueState, number: number, index: number): FoundDelivery | undefined {
  for (const table of ['deliveries', 'history'] as const) {
    const value = state.kv.get(table, deliveryKey(number, index));
    if (value) return found(state, deliveryFrom(state, { number, index, value }));
  }
  return undefined;
}

/** How many deliveries a message of several recipients has had so far; 0 when it is not kept any more. */
export function acceptedOf(state: QueueState, number: number): number {
  const value = state.kv.get('messages', numberKey(number));
  return (value && healthy<SharedMessage>(value)?.accepted) ?? 0;
}

/** The stored content of a message: raw, or an encoded campaign. It is `over` when no delivery needs it any more. */
export function contentOf(state: QueueState, number: number): Result<Buffer, 'over' | 'damaged'> {
  const value = state.kv.get('contents', numberKey(number));
  if (!value) return err('over');
  try {
    return ok(unseal(value));
  } catch {
    return err('damaged');
  }
}

/** Up to `limit` deliveries of a message, by index, from `first` on. */
export function deliveriesOf(state: QueueState, number: number, limit: number, first = 0): FoundDelivery[] {
  const range = { start: deliveryKey(number, first), end: deliveryKey(number + 1, 0), limit };
  const all: FoundDelivery[] = [];
  for (const table of ['deliveries', 'history'] as const) {
    for (const { key, value } of state.kv.range(table, range)) {
      const delivery = readable(state, { number, index: parseDeliveryKey(key).index, value });
      if (delivery) all.push(delivery);
    }
  }
  return all.sort((a, b) => a.index - b.index).slice(0, limit);
}

/**
 * Deliveries by acceptance, oldest first, queued and finished ones in one order, so that a page cannot lose any. One
 * that is not full is the last, or ends where 20,000 records were read: then `next` goes on from there.
 */
export const listDeliveries = (state: QueueState, request: ListRequest): DeliveryList =>
  read(state, request, { spans: spansOf(state, request), most: SCAN });

/** The same while others have their turns. */
export async function listInSlices(state: QueueState, request: ListRequest): Promise<DeliveryList> {
  const spans = spansOf(state, request);
  const deliveries: FoundDelivery[] = [];
  let { after } = request;
  for (let scanned = 0; scanned < SCAN; scanned += SLICE) {
    const limit = request.limit - deliveries.length;
    const part = read(state, { ...request, after, limit }, { spans, most: SLICE });
    deliveries.push(...part.deliveries);
    after = part.next;
    if (after === undefined || deliveries.length >= request.limit) break;
    await nextTurn();
  }
  return { deliveries, next: after };
}

interface Reading {
  /** Where to look; undefined: everywhere. */
  readonly spans: readonly Span[] | undefined;
  /** Records to read. */
  readonly most: number;
}

function read(state: QueueState, request: ListRequest, { spans, most }: Reading): DeliveryList {
  const deliveries: FoundDelivery[] = [];
  const messages: SharedFacts = new Map();
  const after = request.after === undefined ? undefined : parseDeliveryId(request.after);
  const start = after && deliveryKey(after.number, after.index + 1);
  let scanned = 0;
  for (const { key, value } of candidates(state, spans, start)) {
    const { number, index } = parseDeliveryKey(key);
    const delivery = readable(state, { number, index, value }, messages);
    if (delivery && matches(delivery, request) && request.only?.(delivery) !== false)
      deliveries.push(delivery);
    if (deliveries.length >= request.limit || ++scanned >= most)
      return { deliveries, next: deliveryIdOf(number, index) };
  }
  return { deliveries, next: undefined };
}

/** Where a recipient or a campaign that is sought may be, so that all the others need not be read. */
const spansOf = ({ kv }: QueueState, sought: Sought): readonly Span[] | undefined =>
  sought.recipient === undefined && sought.campaignId === undefined ? undefined : whereToLook(kv, sought);

/** What may be meant, from `start` on. */
function* candidates(
  { kv }: QueueState,
  spans: readonly Span[] | undefined,
  start: Buffer | undefined,
): Generator<Entry> {
  if (!spans) {
    yield* byAcceptance(kv, start ? { start } : {});
    return;
  }
  for (const { number, first, end } of spans) {
    const range = { start: deliveryKey(number, first), end: deliveryKey(number, end) };
    if (start && range.end.compare(start) <= 0) continue;
    yield* byAcceptance(kv, start && range.start.compare(start) < 0 ? { ...range, start } : range);
  }
}

/** Queued and finished deliveries, merged by key. */
function* byAcceptance(kv: Kv, range: RangeOptions): Generator<Entry> {
  const [queued, finished] = (['deliveries', 'history'] as const).map((table) =>
    kv.range(table, range)[Symbol.iterator](),
  );
  let [a, b] = [queued!.next(), finished!.next()];
  while (!a.done || !b.done) {
    if (b.done === true || (a.done !== true && a.value.key.compare(b.value.key) <= 0)) {
      yield (a as IteratorYieldResult<Entry>).value;
      a = queued!.next();
    } else {
      yield b.value;
      b = finished!.next();
    }
  }
}

/** A damaged record is left out of lists; an audit names it. */
function readable(
  state: QueueState,
  stored: StoredDelivery,
  messages?: SharedFacts,
): FoundDelivery | undefined {
  try {
    return found(state, deliveryFrom(state, stored, messages));
  } catch {
    return undefined;
  }
}

function matches({ record, message, state }: FoundDelivery, request: ListRequest): boolean {
  if (request.recipient !== undefined && !sameAddress(record.recipient, request.recipient)) return false;
  if (request.campaignId !== undefined && message.campaignId !== request.campaignId) return false;
  return request.state === undefined || state === request.state;
}

const sameAddress = (a: string, b: string): boolean =>
  domainOf(a) === domainOf(b) && a.slice(0, a.lastIndexOf('@')) === b.slice(0, b.lastIndexOf('@'));
