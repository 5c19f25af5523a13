/**
 * Taking what is due: slots out, lease in, one transaction. Deliveries whose lifetime is over end here instead; a
 * damaged delivery loses its slot, is reported and goes to the quarantine.
 */
import { deliveryIdOf } from '../core/index.ts';
import type { Transaction, Work } from './committer.ts';
import { deliveryKey, numberKey } from './keys.ts';
import { endUnattempted } from './ending.ts';
import { type LimitMark, limitOp } from './limit-marks.ts';
import {
  DamagedValue,
  decode,
  type Delivery,
  type DeliveryRecord,
  type LeasedDelivery,
  type SharedMessage,
  unseal,
} from './records.ts';
import type { QueueHead } from './queue-head.ts';
import type { QueueState } from './state.ts';

const CAMPAIGN_CONTENTS = 32;

/** Contents of campaigns that were read lately; raw contents are read once anyway. */
export class ContentCache {
  readonly #contents = new Map<number, Buffer>();

  get(state: QueueState, { number, message }: Delivery): Buffer {
    const cached = this.#contents.get(number);
    if (cached) return cached;
    const value = state.kv.get('contents', numberKey(number));
    if (!value) throw new Error('the content is missing');
    const content = inspect('the content', () => unseal(value));
    if (message.kind === 'campaign') {
      if (this.#contents.size >= CAMPAIGN_CONTENTS)
        this.#contents.delete(this.#contents.keys().next().value!);
      this.#contents.set(number, content);
    }
    return content;
  }
}

/** What deliveries of one message share, for who reads many of them within one turn. */
export type SharedFacts = Map<number, Delivery['message']>;

/** The delivery as the store has it; undefined when it is not queued. Throws DamagedValue. */
export function readDelivery(
  state: QueueState,
  number: number,
  index: number,
  known?: SharedFacts,
): Delivery | undefined {
  const value = state.kv.get('deliveries', deliveryKey(number, index));
  return value && deliveryFrom(state, { number, index, value }, known);
}

/** An entry of `deliveries` or `history`. */
export interface StoredDelivery {
  readonly number: number;
  readonly index: number;
  readonly value: Buffer;
}

export function deliveryFrom(
  state: QueueState,
  { number, index, value }: StoredDelivery,
  known?: SharedFacts,
): Delivery {
  const stored = inspect('the delivery', () => decode<DeliveryRecord>(value));
  const { message: inline } = stored;
  const message = inline ?? known?.get(number) ?? messageOf(state, number);
  if (!inline) known?.set(number, message);
  const record = inline ? withoutMessage(stored) : stored;
  return { id: deliveryIdOf(number, index), number, index, record, message, shared: inline === undefined };
}

const withoutMessage = ({ message: _, ...record }: DeliveryRecord): DeliveryRecord => record;

function messageOf(state: QueueState, number: number): Delivery['message'] {
  const value = state.kv.get('messages', numberKey(number));
  if (!value) throw new Error('the message record is missing');
  return inspect('the message record', () => decode<SharedMessage>(value).message);
}

/** Says in its error what it was that cannot be read. */
function inspect<T>(what: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw new DamagedValue(`${what} is damaged`, { cause });
  }
}

export interface LeaseRequest {
  readonly queue: QueueHead;
  readonly limit: number;
  /** Only deliveries of this message, as far as they come first. */
  readonly message?: number | undefined;
  /** State of the limiters once these deliveries are sent; stored with the lease, so a restart cannot exceed them. */
  readonly marks?: readonly LimitMark[];
}

export class LeaseWork implements Work {
  readonly #state: QueueState;
  readonly #request: LeaseRequest;
  readonly #contents: ContentCache;
  readonly #taken: LeasedDelivery[] = [];
  readonly #damaged: string[] = [];
  #slots = 0;

  constructor(state: QueueState, request: LeaseRequest, contents: ContentCache) {
    this.#state = state;
    this.#request = request;
    this.#contents = contents;
  }

  build(transaction: Transaction): void {
    const { queue, limit, message, marks = [] } = this.#request;
    const { schedule, clock } = this.#state;
    const limits = marks.map(limitOp); // first, as it may throw
    for (const { key, number, index } of schedule.due(queue, clock.now(), limit)) {
      if (message !== undefined && number !== message) break;
      if (!takeSlot(transaction, { key, number, index })) continue;
      this.#slots++;
      this.#take(transaction, number, index);
    }
    if (this.#taken.length > 0) transaction.ops.push(...limits);
  }

  applied(): void {
    const { leases, counters, schedule, dispatcher, report } = this.#state;
    for (const delivery of this.#taken) {
      leases.take(delivery.leaseId, delivery.number, delivery.index);
      counters.lease(delivery, 1);
    }
    const { queue } = this.#request;
    const next = schedule.taken(queue, this.#slots);
    if (next !== Infinity) dispatcher?.wake(queue, next);
    for (const id of this.#damaged) report('error', 'a damaged delivery was set aside', { delivery_id: id });
  }

  get taken(): readonly LeasedDelivery[] {
    return this.#taken;
  }

  #take(transaction: Transaction, number: number, index: number): void {
    const { queue } = this.#request;
    const at = this.#state.clock.now();
    let delivery: Delivery | undefined;
    try {
      delivery = readDelivery(this.#state, number, index);
      if (!delivery) {
        if (!this.#state.jobs.leftSlot(queue, number)) this.#damaged.push(deliveryIdOf(number, index));
        return;
      }
      if (delivery.record.expiresAt <= this.#state.watch.lifetimeNow()) {
        endUnattempted(this.#state, transaction, delivery, 'lifetime');
        return;
      }
      const content = this.#contents.get(this.#state, delivery);
      transaction.leased.push({ number, index });
      this.#taken.push({ ...delivery, queue, leaseId: transaction.leaseId, content });
    } catch (error) {
      this.#state.quarantine.add(transaction, { number, index, error, at, queue, delivery });
      this.#damaged.push(deliveryIdOf(number, index));
    }
  }
}

export interface SlotOfDelivery {
  readonly key: Buffer;
  readonly number: number;
  readonly index: number;
}

/** Adds the removal of the slot of a delivery, unless a work of the same transaction has taken it already. */
export function takeSlot(transaction: Transaction, { key, number, index }: SlotOfDelivery): boolean {
  if (!claimSlot(transaction, number, index)) return false;
  transaction.ops.push({ table: 'schedule', key, value: undefined });
  return true;
}

/** Whether no work of the same transaction has taken the slot; none will then. */
export function claimSlot({ takenSlots }: Transaction, number: number, index: number): boolean {
  let taken = takenSlots.get(number);
  if (!taken) takenSlots.set(number, (taken = new Set()));
  if (taken.has(index)) return false;
  taken.add(index);
  return true;
}
