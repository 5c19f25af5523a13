/** The ids of queues whose record is damaged: the slots have them, and the deliveries of the slots say whose they are. */
import { deliveryKey, numberKey, parseSlotKey, type Slot, slotBound } from './keys.ts';
import type { Kv } from './kv.ts';
import { nameOf, queueKeyOf } from './queue-key.ts';
import { type DeliveryRecord, healthy, type SharedMessage } from './records.ts';

/** Queues that have slots and an id that is not known. */
export interface LostIds {
  /** By name (nameOf). */
  readonly named: ReadonlyMap<string, number>;
  /** Of those that no delivery names: a job has changed or ended all of theirs, and not taken their slots yet. */
  readonly others: readonly number[];
}

export function lostQueueIds(kv: Kv, known: ReadonlySet<number>): LostIds {
  const named = new Map<string, number>();
  const others: number[] = [];
  for (const id of idsInUse(kv)) {
    if (known.has(id)) continue;
    const name = nameOfQueue(kv, id);
    if (name === undefined) others.push(id);
    else named.set(name, id);
  }
  return { named, others };
}

/** Looks at one slot of each queue only. */
function* idsInUse(kv: Kv): Generator<number> {
  for (let from = 0; ;) {
    const [slot] = [...kv.range('schedule', { start: slotBound(from, 0), limit: 1 })];
    if (!slot) return;
    const { queueId } = parseSlotKey(slot.key);
    yield queueId;
    from = queueId + 1;
  }
}

/** By the first of its deliveries that can be read. */
function nameOfQueue(kv: Kv, id: number): string | undefined {
  for (const { key } of kv.range('schedule', { start: slotBound(id, 0), end: slotBound(id + 1, 0) })) {
    const name = nameOfSlot(kv, parseSlotKey(key));
    if (name !== undefined) return name;
  }
  return undefined;
}

function nameOfSlot(kv: Kv, { queueId, number, index }: Slot): string | undefined {
  const value = kv.get('deliveries', deliveryKey(number, index));
  const record = value && healthy<DeliveryRecord>(value);
  const shared = kv.get('messages', numberKey(number));
  const message = record?.message ?? (shared && healthy<SharedMessage>(shared)?.message);
  // Of another queue than its record says: a job has not come to it yet.
  if (record?.slotIn === queueId) return undefined;
  return record && message && nameOf(queueKeyOf({ record, message }));
}
