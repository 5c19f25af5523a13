/**
 * After damage in the log of the slots (slot-log.ts) nobody knows what it said: a slot may be missing, or be there
 * still although its delivery waits for another time, was leased or has ended. The wrong ones go here; deliveries that
 * have no place then get theirs from the recovery (recovery.ts).
 */
import { deliveryKey, numberKey, parseSlotKey, slotKey } from './keys.ts';
import type { Kv, Op } from './kv.ts';
import { decodeLease } from './leases.ts';
import { queueKeyOf, storedKey } from './queue-key.ts';
import { type DeliveryRecord, healthy, type SharedMessage } from './records.ts';
import { groupOp, newestGroup } from './slot-groups.ts';

/** Removes slots that are not, or may not be, the one place of their delivery. */
export async function removeWrongSlots(kv: Kv): Promise<void> {
  const leased = leasedIn(kv);
  const ops: Op[] = [];
  for (const { key } of kv.range('schedule', {})) {
    const { number, index } = parseSlotKey(key);
    if (leased.has(nameOf(deliveryKey(number, index))) || isWrong(kv, key))
      ops.push({ table: 'schedule', key, value: undefined });
  }
  await kv.commit(ops);
}

/** For a store that lost entries: the next start looks at all slots as after damage in their log. */
export async function mistrustSlots(kv: Kv): Promise<void> {
  await kv.commit([groupOp(newestGroup(kv) + 1, Buffer.of(0))]);
}

const nameOf = (key: Buffer): string => key.toString('latin1');

/** What a lease names waits again when the recovery has looked at it. */
function leasedIn(kv: Kv): ReadonlySet<string> {
  const leased = new Set<string>();
  for (const { value } of kv.range('leases', {})) {
    try {
      for (const { number, index } of decodeLease(value)) leased.add(nameOf(deliveryKey(number, index)));
    } catch {
      // Of a damaged lease the recovery knows as much.
    }
  }
  return leased;
}

/** What cannot be read decides nothing. */
function isWrong(kv: Kv, key: Buffer): boolean {
  const { number, index } = parseSlotKey(key);
  const value = kv.get('deliveries', deliveryKey(number, index));
  if (!value) return true;
  const record = healthy<DeliveryRecord>(value);
  const shared = record && !record.message ? kv.get('messages', numberKey(number)) : undefined;
  const message = record?.message ?? (shared && healthy<SharedMessage>(shared)?.message);
  if (!record || !message) return false;
  const queue = kv.get('queues', storedKey(queueKeyOf({ record, message })));
  const queueId = queue && healthy<{ id: number }>(queue)?.id;
  return queueId !== undefined && !slotKey({ queueId, wakeAt: record.wakeAt, number, index }).equals(key);
}
