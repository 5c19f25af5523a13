/**
 * What a crash leaves behind. Deliveries that a lease names and that neither ended nor have a slot were with a worker:
 * they go back to the schedule, due at once, marked as possible duplicates. A batch that was under way is closed.
 */
import { deliveryIdOf } from '../core/index.ts';
import type { Transaction, Work } from './committer.ts';
import { deliveryKey, numberKey, parseNumberKey, parseTextKey, slotKey, textKey } from './keys.ts';
import { decodeLease } from './leases.ts';
import { readDelivery } from './leasing.ts';
import { decode, type Delivery, encode, type SharedMessage } from './records.ts';
import type { QueueHead } from './queue-head.ts';
import type { QueueState } from './state.ts';

/** Marks of batches that take more recipients: `open NUL number`. */
const OPEN_BATCHES = { start: textKey('open', ''), end: textKey('open', ':') };

export interface Recovered {
  /** Deliveries that were leased and without outcome. */
  readonly returned: number;
  readonly closedBatches: number;
}

export class RecoverWork implements Work {
  readonly #state: QueueState;
  readonly #slots: { queue: QueueHead; wakeAt: number }[] = [];
  /** Seen already: two leases name a delivery that was deferred under the first while that one was still held. */
  readonly #seen = new Set<string>();
  readonly #damaged: string[] = [];
  #closed = 0;

  constructor(state: QueueState) {
    this.#state = state;
  }

  get recovered(): Recovered {
    return { returned: this.#slots.length, closedBatches: this.#closed };
  }

  build(transaction: Transaction): void {
    const { kv } = this.#state;
    for (const { key, value } of kv.range('leases', {})) {
      for (const { number, index } of this.#named(key, value)) this.#return(transaction, number, index);
      transaction.ops.push({ table: 'leases', key, value: undefined });
    }
    for (const { key } of kv.range('meta', OPEN_BATCHES)) this.#close(transaction, key);
  }

  applied(): void {
    const { schedule, report } = this.#state;
    for (const { queue, wakeAt } of this.#slots) schedule.added(queue, wakeAt);
    for (const what of this.#damaged) report('error', 'damage found while recovering', { what });
  }

  #named(key: Buffer, value: Buffer): { number: number; index: number }[] {
    try {
      return decodeLease(value);
    } catch {
      this.#damaged.push(`lease ${parseNumberKey(key)}`);
      return [];
    }
  }

  #close({ ops, shared }: Transaction, mark: Buffer): void {
    ops.push({ table: 'meta', key: mark, value: undefined });
    const number = Number(parseTextKey(mark)[1]);
    const value = this.#state.kv.get('messages', numberKey(number));
    if (!value) return;
    this.#closed++;
    shared.set(number, { ...decode<SharedMessage>(value), open: false });
  }

  /** A damaged delivery stays where an audit finds it; it must not keep the others from being recovered. */
  #read(number: number, index: number): Delivery | undefined {
    const id = deliveryIdOf(number, index);
    if (this.#seen.has(id)) return undefined;
    this.#seen.add(id);
    try {
      return readDelivery(this.#state, number, index);
    } catch {
      this.#damaged.push(`delivery ${id}`);
      return undefined;
    }
  }

  #return({ ops }: Transaction, number: number, index: number): void {
    const delivery = this.#read(number, index);
    if (!delivery) return;
    const { record, message, shared } = delivery;
    const { schedule, kv } = this.#state;
    const queue = schedule.of(delivery);
    const slot = { wakeAt: record.wakeAt, number, index };
    if (kv.get('schedule', slotKey({ queueId: queue.id, ...slot }))) return;
    const returned = { ...record, ...(shared ? {} : { message }), possibleDuplicate: true as const };
    ops.push({ table: 'deliveries', key: deliveryKey(number, index), value: encode(returned) });
    schedule.addSlot(queue, slot, ops);
    this.#slots.push({ queue, wakeAt: record.wakeAt });
  }
}
