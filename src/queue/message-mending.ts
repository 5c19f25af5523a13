/** The record of a message of several recipients, made anew from what is known when it is damaged. */
import { sharedMessage } from './accepting.ts';
import type { Transaction } from './committer.ts';
import { deliveryKey, parseDeliveryKey, textKey } from './keys.ts';
import { DamagedValue, type Delivery, type SharedMessage } from './records.ts';
import type { QueueState } from './state.ts';

/**
 * The shared message as this transaction sees it. Whoever has a delivery in memory knows its message, and what is
 * queued of it can be counted: so a record that was damaged meanwhile does not keep outcomes from being stored.
 */
export function mendedMessage(
  state: QueueState,
  transaction: Transaction,
  { number, message }: Delivery,
): SharedMessage | undefined {
  try {
    const stored = sharedMessage(state, transaction, number);
    if (stored) return stored;
  } catch (error) {
    if (!(error instanceof DamagedValue) && !(error instanceof SyntaxError)) throw error;
  }
  const remaining = count(state, 'deliveries', number) - removedIn(transaction, number);
  const open = state.kv.get('meta', textKey('open', String(number))) !== undefined;
  return { message, accepted: remaining + count(state, 'history', number), remaining, open };
}

function count({ kv }: QueueState, table: 'deliveries' | 'history', number: number): number {
  let found = 0;
  for (const _ of kv.range(table, { start: deliveryKey(number, 0), end: deliveryKey(number + 1, 0) }))
    found++;
  return found;
}

/** Works of this transaction that end others of its deliveries and could not write that down here. */
const removedIn = ({ ops }: Transaction, number: number): number =>
  ops.filter(
    ({ table, key, value }) =>
      table === 'deliveries' && value === undefined && parseDeliveryKey(key).number === number,
  ).length;
