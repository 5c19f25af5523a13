/**
 * The events of a job: most of its deliveries differ in delivery and recipient alone, so the rest is made, written as
 * text and counted once for a run of them. In the journal each is a line of its own like any other.
 */
import { deliveryIdOf } from '../core/index.ts';
import type { EventDraft, EventRun, Transaction } from './committer.ts';
import { deliveryEvent } from './labels.ts';
import type { Delivery, DeliveryRecord } from './records.ts';

type Place = Pick<DeliveryRecord, 'node' | 'sender'>;
type Make = (delivery: Delivery, at: number, next: Place) => EventDraft;

interface Kind {
  readonly delivery: Delivery;
  readonly next: Place;
  readonly run: EventRun;
}

/** A batch has one for each sender and node; more are not looked through. */
const KINDS = 8;

/** An operator removed it. */
export const removedEvent: Make = (delivery, at) => ({
  ...deliveryEvent(delivery),
  type: 'undelivered',
  reason: 'removed',
  time: at,
  attempt: delivery.record.attempts.length,
});

/** It goes by another node or sender. */
export const movedEvent: Make = (delivery, at, next) => ({
  ...deliveryEvent(delivery),
  type: 'moved',
  time: at,
  attempt: delivery.record.attempts.length,
  next_node: next.node,
  ...(next.sender !== delivery.record.sender && { next_sender: next.sender }),
});

/** Collects the events of one work, all of one kind, and adds them to its transaction. */
export class EventRuns {
  readonly #at: number;
  readonly #make: Make;
  readonly #kinds: Kind[] = [];

  /** `at` is the time of all of them (wall ms). */
  constructor(at: number, make: Make) {
    this.#at = at;
    this.#make = make;
  }

  /** The event of a delivery that is at `next` by it. */
  add(transaction: Transaction, delivery: Delivery, next: Place = delivery.record): void {
    const { index, record, shared } = delivery;
    if (!shared || record.metadata || record.copyOf) {
      transaction.events.push(this.#make(delivery, this.#at, next));
      return;
    }
    const known = this.#kinds.find((one) => isAlike(one, delivery, next));
    const { run } = known ?? this.#begin(transaction, delivery, next);
    run.indexes.push(index);
    run.recipients.push(record.recipient);
    transaction.inRuns++;
  }

  #begin(transaction: Transaction, delivery: Delivery, next: Place): Kind {
    const draft = this.#make(delivery, this.#at, next);
    const { number } = delivery;
    const run = { draft, number, indexes: [], recipients: [], after: transaction.events.length };
    transaction.runs.push(run);
    const kind = { delivery, next, run };
    if (this.#kinds.push(kind) > KINDS) this.#kinds.shift();
    return kind;
  }
}

/** Its events one by one, or only the last ones. */
export const draftsOf = ({ draft, number, indexes, recipients }: EventRun, last = Infinity): EventDraft[] =>
  indexes.slice(-last).map((index, i, kept) => ({
    ...draft,
    delivery_id: deliveryIdOf(number, index),
    recipient: recipients[indexes.length - kept.length + i]!,
  }));

function isAlike({ delivery, next }: Kind, { number, record }: Delivery, { node, sender }: Place): boolean {
  const known = delivery.record;
  return (
    delivery.number === number &&
    known.node === record.node &&
    known.sender === record.sender &&
    known.attempts.length === record.attempts.length &&
    next.node === node &&
    next.sender === sender
  );
}
