/**
 * What a report does to a delivery that has ended: its event, one count from delivered to failed, and an entry of the
 * stop list, in one transaction. Each kind of report counts once per delivery; what comes again changes nothing.
 *
 * - A bounce takes a `delivered` back (`corrects`). A delivery that had failed already stays as it ended.
 * - Complaints and requests to unsubscribe change no count of the delivery.
 * - Of a delivery whose history is over, a bounce is told as rejected, for nothing can be corrected; the other two are
 *   told with the ids that the token names, for they oblige all the same.
 */
import type { Bounce, EventReply, EventReport } from '../core/index.ts';
import { deliveryIdOf, messageIdOf } from '../core/index.ts';
import type { EventDraft, Transaction } from './committer.ts';
import { deliveryKey } from './keys.ts';
import { deliveryEvent } from './labels.ts';
import { deliveryFrom } from './leasing.ts';
import { type Delivery, encode, type ReportedKind } from './records.ts';
import type { QueueState } from './state.ts';
import type { StopEntry, StopSource } from './stop-list.ts';

export type StopScope = 'platform' | 'account' | 'none';

export interface LateReport {
  readonly number: number;
  readonly index: number;
  readonly effect:
    | {
        readonly kind: 'bounce';
        readonly type: 'hard_bounce' | 'undelivered';
        readonly bounce: Bounce;
        readonly reply: EventReply;
      }
    | { readonly kind: 'complaint' | 'unsubscribe'; readonly reason?: string | undefined };
  readonly report: EventReport;
  readonly at: number;
  /** Whose mail is stopped by it. */
  readonly stop: StopScope;
}

/** `counted`, or why it changed nothing. */
export type LateResult = 'counted' | 'duplicate' | 'queued' | 'expired';

export function applyLateReport(state: QueueState, transaction: Transaction, late: LateReport): LateResult {
  const { number, index, effect } = late;
  const key = deliveryKey(number, index);
  const finished = state.kv.get('history', key);
  const value = finished ?? state.kv.get('deliveries', key);
  if (!value) return expired(transaction, late);
  const delivery = deliveryFrom(state, number, index, value);
  if (!finished && effect.kind === 'bounce') return 'queued';
  if (delivery.record.reported?.includes(effect.kind)) return 'duplicate';
  if (effect.kind === 'bounce') {
    if (delivery.record.final?.type !== 'delivered') return 'duplicate';
    correct(transaction, late, delivery);
  } else {
    const { reason } = effect;
    transaction.events.push({ ...about(late, delivery), type: effect.kind, ...(reason && { reason }) });
    if (finished) store(transaction, delivery, effect.kind);
  }
  const entry = stopEntry(late, delivery);
  if (entry) state.stopList.put(transaction, entry);
  return 'counted';
}

const about = ({ at, report }: LateReport, delivery: Delivery): Omit<EventDraft, 'type'> => ({
  ...deliveryEvent(delivery),
  time: at,
  attempt: delivery.record.attempts.length,
  mx: delivery.record.attempts.at(-1)?.mx,
  report,
});

function correct(transaction: Transaction, late: LateReport, delivery: Delivery): void {
  const { effect, at } = late;
  if (effect.kind !== 'bounce') return;
  const { type, bounce, reply } = effect;
  const before = delivery.record.final!;
  const final = { ...before, type, reason: 'report', correctedAt: at } as const;
  store(transaction, { ...delivery, record: { ...delivery.record, final } }, 'bounce');
  transaction.events.push({
    ...about(late, delivery),
    type,
    reason: 'report',
    corrects: before.seq ?? 0,
    reply,
    bounce,
  });
}

function store(
  { ops }: Transaction,
  { number, index, record, message, shared }: Delivery,
  kind: ReportedKind,
): void {
  const reported = [...(record.reported ?? []), kind];
  const value = encode({ ...record, ...(shared ? {} : { message }), reported });
  ops.push({ table: 'history', key: deliveryKey(number, index), value });
}

function expired({ events }: Transaction, { number, index, effect, report, at }: LateReport): LateResult {
  const ids = { delivery_id: deliveryIdOf(number, index), message_id: messageIdOf(number) };
  const type = effect.kind === 'bounce' ? 'report_rejected' : effect.kind;
  events.push({ ...ids, type, time: at, reason: 'history_over', report });
  return 'expired';
}

const SOURCES: Readonly<Record<ReportedKind, StopSource>> = {
  bounce: 'hard_bounce',
  complaint: 'complaint',
  unsubscribe: 'unsubscribe',
};

/** Only a dead address stops mail by a bounce. */
function stopEntry({ effect, stop, at }: LateReport, { record, message }: Delivery): StopEntry | undefined {
  if (stop === 'none' || (effect.kind === 'bounce' && effect.type !== 'hard_bounce')) return undefined;
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
