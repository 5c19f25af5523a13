/**
 * Acceptance: content, envelope, deliveries, slots (or leases) and `accepted` events in one transaction.
 * A delivery that its dispatcher can start at once is leased in the accepting transaction itself, so it costs no
 * slot and no second commit.
 */
import { deliveryIdOf, withFront } from '../core/index.ts';
import type { Transaction, Work } from './committer.ts';
import { deliveryEvent } from './labels.ts';
import { deliveryKey, numberKey, textKey } from './keys.ts';
import type { Op } from './kv.ts';
import {
  decode,
  type Delivery,
  type DeliveryRecord,
  encode,
  type LeasedDelivery,
  type MessageRecord,
  seal,
  type SharedMessage,
  unseal,
} from './records.ts';
import type { SendLimit } from './policies.ts';
import { runsOf } from './recipient-index.ts';
import type { QueueHead } from './queue-head.ts';
import type { QueueState } from './state.ts';
import { lookingOnly, type Turns, WorkTurns } from './turns.ts';

/** A message to accept: its number (core/ids), facts, content and recipients. */
export interface NewMessage {
  readonly number: number;
  readonly message: MessageRecord;
  /** Raw message, or encoded campaign content. Not touched by the caller until the acceptance resolved. */
  readonly content: Buffer;
  /** The checksum of `content` stands in front of it already, in the same memory (core/seal.ts). */
  readonly sealed?: boolean;
  readonly deliveries: readonly NewDelivery[];
  /** More deliveries will follow by `append`. */
  readonly open?: boolean;
  /** More to write in the same transaction. */
  readonly also?: readonly Op[];
  /** Sending policies that hold for the message: what one refuses ends at once, as undelivered. */
  readonly limits?: readonly SendLimit[];
}

export type NewDelivery = DecidedDelivery | UndecidedDelivery;

export interface DecidedDelivery {
  /** Index of the recipient in the message, from 1. */
  readonly index: number;
  readonly record: DeliveryRecord;
  readonly way?: undefined;
}

export interface UndecidedDelivery {
  readonly index: number;
  readonly record: Omit<DeliveryRecord, keyof Way>;
  /** Asked in the transaction, once it is known whether a policy refuses the delivery. */
  readonly way: (turns: Turns) => Way;
}

/** Who sends a delivery, and what follows from that. */
export type Way = Pick<DeliveryRecord, 'sender' | 'node' | 'expiresAt' | 'override'>;

/** Deliveries added to a message that was accepted `open`; `close` says that they are the last ones. */
export interface Addition {
  readonly number: number;
  readonly deliveries: readonly NewDelivery[];
  readonly close: boolean;
  readonly also?: readonly Op[];
  readonly limits?: readonly SendLimit[];
}

/** The shared message as this transaction sees it. */
export function sharedMessage(
  state: QueueState,
  { shared }: Transaction,
  number: number,
): SharedMessage | undefined {
  const pending = shared.get(number);
  if (pending) return pending;
  const value = state.kv.get('messages', numberKey(number));
  return value && decode<SharedMessage>(value);
}

interface Surroundings {
  readonly message: MessageRecord;
  readonly content: Buffer | undefined;
  readonly inline: boolean;
}

const wholeRecord = ({ record, way }: NewDelivery, turns: Turns): DeliveryRecord =>
  way ? { ...record, ...way(turns) } : record;

export class AcceptWork implements Work {
  readonly #state: QueueState;
  readonly #input: NewMessage | Addition;
  readonly #claimed: LeasedDelivery[] = [];
  #refused = 0;
  /** When it is built: the same for all of its deliveries. */
  #now = 0;
  readonly #queued: { queue: QueueHead; wakeAt: number }[] = [];

  constructor(state: QueueState, input: NewMessage | Addition) {
    this.#state = state;
    this.#input = input;
  }

  build(transaction: Transaction): void {
    const turns = new WorkTurns(this.#state.kv, transaction);
    this.#build(transaction, turns);
    turns.keep();
  }

  #build(transaction: Transaction, turns: Turns): void {
    const input = this.#input;
    const { number, deliveries } = input;
    this.#now = this.#state.clock.now();
    if (input.also) transaction.ops.push(...input.also);
    if ('message' in input) {
      const { message, content } = input;
      transaction.ops.push({
        table: 'contents',
        key: numberKey(number),
        value: input.sealed === true ? withFront(content) : seal(content),
      });
      const inline = deliveries.length === 1 && input.open !== true;
      for (const delivery of deliveries)
        this.#add(transaction, delivery, { message, content, inline, turns });
      if (input.open)
        transaction.ops.push({ table: 'meta', key: textKey('open', String(number)), value: Buffer.of(1) });
      if (!inline)
        this.#share(transaction, { message, accepted: 0, remaining: 0, open: input.open === true });
      transaction.recipients.push(...runsOf(number, message.campaignId, deliveries));
      return;
    }
    const before = sharedMessage(this.#state, transaction, number);
    if (!before?.open) throw new Error('the message takes no more recipients');
    // Not there yet when the batch is opened by this same commit: then nothing is claimed.
    const stored = this.#state.kv.get('contents', numberKey(number));
    const content = stored && unseal(stored);
    for (const delivery of deliveries)
      this.#add(transaction, delivery, { message: before.message, content, inline: false, turns });
    if (input.close)
      transaction.ops.push({ table: 'meta', key: textKey('open', String(number)), value: undefined });
    this.#share(transaction, { ...before, open: !input.close });
    transaction.recipients.push(...runsOf(number, before.message.campaignId, deliveries));
  }

  applied(): void {
    const { leases, counters, schedule, dispatcher } = this.#state;
    for (const { leaseId, number, index } of this.#claimed) leases.take(leaseId, number, index);
    for (const delivery of this.#claimed) counters.lease(delivery, 1);
    if (this.#claimed.length > 0) dispatcher?.granted(this.#claimed);
    const { number } = this.#input;
    for (const { queue, wakeAt } of this.#queued) {
      if (schedule.added(queue, { wakeAt, number })) dispatcher?.wake(queue, wakeAt);
    }
  }

  failed(): void {
    const { dispatcher, schedule } = this.#state;
    for (const { queue } of this.#claimed) dispatcher?.unclaim(queue);
    for (const { queue } of this.#queued) schedule.unused(queue);
  }

  /** A batch may go on long after it was opened. */
  #time({ createdAt }: MessageRecord): number {
    return 'message' in this.#input ? createdAt : this.#now;
  }

  #share(transaction: Transaction, shared: SharedMessage): void {
    const count = this.#input.deliveries.length;
    transaction.shared.set(this.#input.number, {
      ...shared,
      accepted: shared.accepted + count,
      remaining: shared.remaining + count - this.#refused,
    });
  }

  #add(
    transaction: Transaction,
    given: NewDelivery,
    { message, content, inline, turns }: Surroundings & { readonly turns: Turns },
  ): void {
    const { number } = this.#input;
    const { index } = given;
    const { holds, schedule, dispatcher, policies } = this.#state;
    const { limits } = this.#input;
    const policy = limits && policies.take(transaction, limits, given.record.recipient);
    const whole = wholeRecord(given, policy === undefined ? turns : lookingOnly(turns));
    const delivery: Delivery = {
      id: deliveryIdOf(number, index),
      number,
      index,
      record: holds.placed(number, whole, message),
      message,
      shared: !inline,
    };
    const { record } = delivery;
    const stored: DeliveryRecord = inline ? { ...record, message } : record;
    const { ops, events, leased, leaseId } = transaction;
    events.push({ ...deliveryEvent(delivery), type: 'accepted', time: this.#time(message) });
    if (policy !== undefined) {
      this.#refuse(transaction, delivery, { stored, policy });
      return;
    }
    ops.push({ table: 'deliveries', key: deliveryKey(number, index), value: encode(stored) });
    const queue = schedule.of(delivery);
    const { wakeAt } = record;
    if (
      content !== undefined &&
      wakeAt <= this.#now &&
      !queue.keepsBack(number) &&
      dispatcher?.claim(queue)
    ) {
      leased.push({ number, index });
      this.#claimed.push({ ...delivery, queue, leaseId, content });
      return;
    }
    this.#queued.push({ queue, wakeAt });
    schedule.addSlot(queue, { wakeAt, number, index }, ops);
  }

  /** A sending policy ends the delivery in the transaction that accepts it. */
  #refuse(
    { ops, events }: Transaction,
    delivery: Delivery,
    { stored, policy }: { readonly stored: DeliveryRecord; readonly policy: string },
  ): void {
    const { number, index, message, shared } = delivery;
    const at = this.#time(message);
    const final = { type: 'undelivered', reason: 'policy', at } as const;
    ops.push({ table: 'history', key: deliveryKey(number, index), value: encode({ ...stored, final }) });
    if (!shared) ops.push({ table: 'contents', key: numberKey(number), value: undefined });
    events.push({
      ...deliveryEvent(delivery),
      type: 'undelivered',
      reason: 'policy',
      time: at,
      attempt: 0,
      bounce: { class: 'other', category: 'policy', rule: policy },
    });
    this.#refused++;
  }
}
