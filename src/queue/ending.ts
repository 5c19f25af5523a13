/** The end of a delivery: history in, queue and content out. */
import { sharedMessage } from './accepting.ts';
import type { Transaction } from './committer.ts';
import { deliveryKey, numberKey } from './keys.ts';
import { deliveryEvent } from './labels.ts';
import { type Delivery, type DeliveryRecord, encode } from './records.ts';
import type { QueueState } from './state.ts';

/** Adds the end of a delivery: history in, queue and content out. */
export function endDelivery(
  state: QueueState,
  transaction: Transaction,
  delivery: Delivery,
  record: DeliveryRecord,
): void {
  const { number, index } = delivery;
  const { ops, shared } = transaction;
  const before = delivery.shared ? sharedMessage(state, transaction, number) : undefined;
  ops.push({ table: 'deliveries', key: deliveryKey(number, index), value: undefined });
  ops.push({ table: 'history', key: deliveryKey(number, index), value: encode(record) });
  if (before) shared.set(number, { ...before, remaining: before.remaining - 1 });
  else ops.push({ table: 'contents', key: numberKey(number), value: undefined });
}

/** Adds the end of a delivery that waits: its lifetime is over, or an operator removed it. */
export function endUnattempted(
  state: QueueState,
  transaction: Transaction,
  delivery: Delivery,
  reason: 'lifetime' | 'removed',
): void {
  const at = state.clock.now();
  const { record, message, shared } = delivery;
  const final = { type: 'undelivered', reason, at } as const;
  endDelivery(state, transaction, delivery, { ...record, ...(shared ? {} : { message }), final });
  const bounce = reason === 'lifetime' ? ({ class: 'soft', category: 'expired' } as const) : undefined;
  const attempt = record.attempts.length;
  transaction.events.push({
    ...deliveryEvent(delivery),
    type: 'undelivered',
    reason,
    time: at,
    attempt,
    ...(bounce && { bounce }),
  });
}
