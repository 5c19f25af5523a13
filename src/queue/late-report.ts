/**
 * What a report leads to: its event, one count from delivered to failed, and an entry of the stop list, in one
 * transaction. Each kind of report counts once per delivery; what comes again changes nothing.
 *
 * - A bounce takes a `delivered` back (`corrects`). A delivery that had failed already stays as it ended. One that has
 *   not ended is waited for (early-reports.ts).
 * - Complaints and requests to unsubscribe change no count of the delivery, and need not wait.
 * - Of a delivery whose history is over, or that is damaged, a bounce is told as rejected, for nothing can be corrected; the other two are
 *   told with the ids that the token names, for they oblige all the same.
 */
import { deliveryIdOf, messageIdOf } from '../core/index.ts';
import type { Transaction } from './committer.ts';
import { deliveryKey } from './keys.ts';
import { deliveryFrom } from './leasing.ts';
import type { Delivery, LateReport } from './records.ts';
import { correct, mark, tell } from './report-effect.ts';
import type { QueueState } from './state.ts';

/** `counted`; `early`: kept until the delivery ends; or why it changed nothing. */
export type LateResult = 'counted' | 'early' | 'duplicate' | 'expired' | 'too_many_early';

export function applyLateReport(state: QueueState, transaction: Transaction, late: LateReport): LateResult {
  const { number, index, effect } = late;
  const finished = finishedDelivery(state, transaction, late);
  if (finished) {
    if (finished.record.reported?.includes(effect.kind)) return 'duplicate';
    if (effect.kind === 'bounce')
      return correct(state, transaction, late, finished) ? 'counted' : 'duplicate';
    mark(transaction, finished, [effect.kind]);
    tell(state, transaction, late, finished);
    return 'counted';
  }
  const queued = read(state, late, state.kv.get('deliveries', deliveryKey(number, index)));
  return queued ? keepEarly(state, transaction, late, queued) : rejected(transaction, late, 'history_over');
}

/** Also one that ends in this transaction. */
function finishedDelivery(
  state: QueueState,
  { ended, runs, ops }: Transaction,
  { number, index }: LateReport,
): Delivery | undefined {
  const ending = ended.get(deliveryIdOf(number, index));
  if (ending) return ending;
  const wanted = deliveryKey(number, index);
  // One of many that a job ends.
  const run = runs.length > 0 && ops.findLast(({ table, key }) => table === 'history' && key.equals(wanted));
  return read(state, { number, index }, run ? run.value : state.kv.get('history', wanted));
}

/** What is damaged is as if its history were over. */
function read(
  state: QueueState,
  { number, index }: Pick<LateReport, 'number' | 'index'>,
  value: Buffer | undefined,
): Delivery | undefined {
  try {
    return value && deliveryFrom(state, { number, index, value });
  } catch {
    return undefined;
  }
}

function keepEarly(
  state: QueueState,
  transaction: Transaction,
  late: LateReport,
  delivery: Delivery,
): LateResult {
  const { kind } = late.effect;
  const before = state.early.of(transaction, delivery) ?? { told: [] };
  if (kind === 'bounce') {
    if (before.bounce) return 'duplicate';
    const kept = state.early.put(transaction, delivery, { ...before, bounce: late });
    return kept ? 'early' : rejected(transaction, late, 'too_many_early');
  }
  if (before.told.includes(kind)) return 'duplicate';
  state.early.put(transaction, delivery, { ...before, told: [...before.told, kind] });
  tell(state, transaction, late, delivery);
  return 'counted';
}

function rejected(
  { events }: Transaction,
  { number, index, effect, report, at }: LateReport,
  reason: 'history_over' | 'too_many_early',
): LateResult {
  const ids = { delivery_id: deliveryIdOf(number, index), message_id: messageIdOf(number) };
  const type = effect.kind === 'bounce' ? 'report_rejected' : effect.kind;
  events.push({ ...ids, type, time: at, reason, report });
  return reason === 'history_over' ? 'expired' : reason;
}
