/** What a report does to a delivery that has ended: its event, its mark in the history, one count from delivered to failed. */
import type { EventDraft, Transaction } from './committer.ts';
import { deliveryKey } from './keys.ts';
import { deliveryEvent } from './labels.ts';
import { type Delivery, type DeliveryRecord, encode, type LateReport, type ReportedKind } from './records.ts';
import type { QueueState } from './state.ts';
import type { StopEntry, StopSource } from './stop-list.ts';

/** Takes `delivered` back. False: the delivery had failed already, and stays as it ended. */
export function correct(
  state: QueueState,
  transaction: Transaction,
  late: LateReport,
  delivery: Delivery,
): boolean {
  const { effect, at } = late;
  const before = delivery.record.final;
  if (effect.kind !== 'bounce' || before?.type !== 'delivered') return false;
  const { type, bounce, reply } = effect;
  const final = { ...before, type, reason: 'report', correctedAt: at } as const;
  store(transaction, delivery, { ...delivery.record, final, reported: marked(delivery, ['bounce']) });
  const corrects = before.seq ?? 0;
  transaction.events.push({ ...about(late, delivery), type, reason: 'report', corrects, reply, bounce });
  stop(state, transaction, late, delivery);
  return true;
}

/** A bounce of a delivery that has ended as a failure meanwhile: changes no count of it, but the address may be dead. */
export function tooLate(
  state: QueueState,
  transaction: Transaction,
  late: LateReport,
  delivery: Delivery,
): void {
  const reason = 'ended_otherwise';
  transaction.events.push({ ...about(late, delivery), type: 'report_rejected', reason });
  stop(state, transaction, late, delivery);
}

/** A complaint or a request to unsubscribe: changes no count of the delivery. */
export function tell(
  state: QueueState,
  transaction: Transaction,
  late: LateReport,
  delivery: Delivery,
): void {
  const { effect } = late;
  if (effect.kind === 'bounce') return;
  const { reason } = effect;
  transaction.events.push({ ...about(late, delivery), type: effect.kind, ...(reason && { reason }) });
  stop(state, transaction, late, delivery);
}

/** Marks in the history what was told of it. */
export function mark(transaction: Transaction, delivery: Delivery, told: readonly ReportedKind[]): void {
  store(transaction, delivery, { ...delivery.record, reported: marked(delivery, told) });
}

const marked = ({ record }: Delivery, told: readonly ReportedKind[]): readonly ReportedKind[] => [
  ...new Set([...(record.reported ?? []), ...told]),
];

function store(transaction: Transaction, delivery: Delivery, record: DeliveryRecord): void {
  const { id, number, index, message, shared } = delivery;
  const value = encode({ ...record, ...(shared ? {} : { message }) });
  transaction.ops.push({ table: 'history', key: deliveryKey(number, index), value });
  transaction.ended.set(id, { ...delivery, record });
}

const about = ({ at, report }: LateReport, delivery: Delivery): Omit<EventDraft, 'type'> => ({
  ...deliveryEvent(delivery),
  time: at,
  attempt: delivery.record.attempts.length,
  mx: delivery.record.attempts.at(-1)?.mx,
  report,
});

const SOURCES: Readonly<Record<ReportedKind, StopSource>> = {
  bounce: 'hard_bounce',
  complaint: 'complaint',
  unsubscribe: 'unsubscribe',
};

function stop(state: QueueState, transaction: Transaction, late: LateReport, delivery: Delivery): void {
  const entry = stopEntry(late, delivery);
  if (entry) state.stopList.put(transaction, entry);
}

/** Only a dead address stops mail by a bounce, and nothing stops mail to ourselves. */
function stopEntry({ effect, stop, at }: LateReport, { record, message }: Delivery): StopEntry | undefined {
  if (stop === 'none' || message.toOurselves) return undefined;
  if (effect.kind === 'bounce' && effect.type !== 'hard_bounce') return undefined;
  const reason = effect.kind === 'bounce' ? effect.reply.text.slice(0, 200) : effect.reason;
  return {
    kind: 'address',
    value: record.recipient.toLowerCase(),
    accountId: stop === 'account' ? message.accountId : undefined,
    source: SOURCES[effect.kind],
    reason,
    at,
  };
}
