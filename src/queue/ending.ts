/** The end of a delivery: history in, queue and content out, its event, and what reports have said of it before. */
import type { EventDraft, Transaction } from './committer.ts';
import { deliveryKey, numberKey } from './keys.ts';
import { deliveryEvent } from './labels.ts';
import { mendedMessage } from './message-mending.ts';
import { type Delivery, type DeliveryRecord, encode } from './records.ts';
import { correct, mark, tooLate } from './report-effect.ts';
import type { QueueState } from './state.ts';

export interface End {
  readonly record: DeliveryRecord;
  readonly event: EventDraft;
}

export function endDelivery(
  state: QueueState,
  transaction: Transaction,
  delivery: Delivery,
  { record, event }: End,
): void {
  const { id, number, index, message } = delivery;
  const { ops, shared, ended, events } = transaction;
  const before = delivery.shared ? mendedMessage(state, transaction, delivery) : undefined;
  state.quarantine.leave(transaction, delivery);
  const value = encode(delivery.shared ? record : { ...record, message });
  ops.push({ table: 'deliveries', key: deliveryKey(number, index), value: undefined });
  ops.push({ table: 'history', key: deliveryKey(number, index), value });
  if (before) shared.set(number, { ...before, remaining: before.remaining - 1 });
  else ops.push({ table: 'contents', key: numberKey(number), value: undefined });
  events.push(event);
  ended.set(id, { ...delivery, record });
  applyEarly(state, transaction, ended.get(id)!);
}

function applyEarly(state: QueueState, transaction: Transaction, delivery: Delivery): void {
  const early = state.early.take(transaction, delivery);
  if (!early) return;
  if (early.told.length > 0) mark(transaction, delivery, early.told);
  const { bounce } = early;
  const ended = transaction.ended.get(delivery.id)!;
  if (bounce && !correct(state, transaction, bounce, ended)) tooLate(state, transaction, bounce, ended);
}

const EXPIRED = { class: 'soft', category: 'expired' } as const;

/** The end of a delivery that waits: its lifetime is over, or an operator removed it. */
export function endUnattempted(
  state: QueueState,
  transaction: Transaction,
  delivery: Delivery,
  reason: 'lifetime' | 'removed',
): void {
  const at = state.clock.now();
  const { record } = delivery;
  const final = { type: 'undelivered', reason, at } as const;
  const bounce = reason === 'lifetime' ? EXPIRED : undefined;
  const attempt = record.attempts.length;
  endDelivery(state, transaction, delivery, {
    record: { ...record, final },
    event: {
      ...deliveryEvent(delivery),
      type: 'undelivered',
      reason,
      time: at,
      attempt,
      ...(bounce && { bounce }),
    },
  });
}
