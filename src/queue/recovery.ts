/**
 * What a crash leaves behind. Deliveries that a lease names and that neither ended nor have a slot were with a worker:
 * they go back to the schedule, due at once, marked as possible duplicates unless it is known that nothing of their
 * content was sent (sending-file.ts). A batch that was under way is closed.
 *
 * When a lease is damaged nobody knows whom it names: then all deliveries are looked at, and those without a place are
 * taken for its own. The same is done when slots were lost; what no lease may have named then was not sent. A damaged
 * delivery goes to the quarantine.
 */
import { deliveryIdOf, messageIdOf } from '../core/index.ts';
import type { Transaction, Work } from './committer.ts';
import { deliveryKey, numberKey, parseDeliveryKey, parseNumberKey, parseTextKey, textKey } from './keys.ts';
import { decodeLease } from './leases.ts';
import { readDelivery } from './leasing.ts';
import { type Delivery, encode, healthy, type SharedMessage } from './records.ts';
import type { Place } from './quarantine.ts';
import type { QueueHead } from './queue-head.ts';
import type { QueueState } from './state.ts';

/** Marks of batches that take more recipients: `open NUL number`. */
const OPEN_BATCHES = { start: textKey('open', ''), end: textKey('open', ':') };

export interface Recovered {
  /** Deliveries that were leased and without outcome. */
  readonly returned: number;
  /** Of these, those that may have been sent. */
  readonly possibleDuplicates: number;
  readonly closedBatches: number;
}

export class RecoverWork implements Work {
  readonly #state: QueueState;
  readonly #slots: { queue: QueueHead; wakeAt: number; number: number }[] = [];
  /** Seen already: two leases name a delivery that was deferred under the first while that one was still held. */
  readonly #seen = new Set<string>();
  readonly #damaged: string[] = [];
  #closed = 0;
  #marked = 0;
  #lostLeases = false;
  /** Groups in the log of the slots that cannot be read. */
  readonly #lostSlots: readonly string[];

  constructor(state: QueueState, lostSlots: readonly string[]) {
    this.#state = state;
    this.#lostSlots = lostSlots;
  }

  get recovered(): Recovered {
    return { returned: this.#slots.length, possibleDuplicates: this.#marked, closedBatches: this.#closed };
  }

  build(transaction: Transaction): void {
    const { kv } = this.#state;
    for (const { key, value } of kv.range('leases', {})) {
      for (const place of this.#named(key, value)) this.#return(transaction, place, true);
      transaction.ops.push({ table: 'leases', key, value: undefined });
    }
    if (this.#lostLeases || this.#lostSlots.length > 0) this.#returnPlaceless(transaction);
    for (const groups of this.#lostSlots) this.#damaged.push(`${groups} of the slots`);
    for (const { key } of kv.range('meta', OPEN_BATCHES)) this.#close(transaction, key);
  }

  applied(): void {
    const { schedule, report } = this.#state;
    for (const { queue, ...slot } of this.#slots) schedule.added(queue, slot);
    for (const what of this.#damaged) report('error', 'damage found while recovering', { what });
  }

  #named(key: Buffer, value: Buffer): { number: number; index: number }[] {
    try {
      return decodeLease(value);
    } catch {
      this.#damaged.push(`lease ${parseNumberKey(key)}`);
      this.#lostLeases = true;
      return [];
    }
  }

  #close({ ops, shared }: Transaction, mark: Buffer): void {
    ops.push({ table: 'meta', key: mark, value: undefined });
    const number = Number(parseTextKey(mark)[1]);
    const value = this.#state.kv.get('messages', numberKey(number));
    if (!value) return;
    this.#closed++;
    const message = healthy<SharedMessage>(value);
    if (message) shared.set(number, { ...message, open: false });
    else this.#damaged.push(`message ${messageIdOf(number)}`);
  }

  /** Deliveries that have neither a slot nor a lease that can be read. */
  #returnPlaceless(transaction: Transaction): void {
    for (const { key } of this.#state.kv.range('deliveries', {})) {
      const { number, index } = parseDeliveryKey(key);
      if (!this.#state.quarantine.has({ number, index }))
        this.#return(transaction, { number, index }, this.#lostLeases);
    }
  }

  /** A damaged delivery must not keep the others from being recovered. */
  #read(transaction: Transaction, number: number, index: number): Delivery | undefined {
    const id = deliveryIdOf(number, index);
    if (this.#seen.has(id)) return undefined;
    this.#seen.add(id);
    try {
      return readDelivery(this.#state, number, index);
    } catch (error) {
      const at = this.#state.clock.now();
      this.#state.quarantine.add(transaction, { number, index, error, at });
      this.#damaged.push(`delivery ${id}`);
      return undefined;
    }
  }

  #return(transaction: Transaction, { number, index }: Place, leased: boolean): void {
    const { ops } = transaction;
    const delivery = this.#read(transaction, number, index);
    if (!delivery) return;
    const { record, message, shared } = delivery;
    const { schedule, kv } = this.#state;
    if (kv.get('schedule', schedule.slotOf(delivery).key)) return;
    const mayBeSent = leased && (this.#state.sending?.before?.has(delivery.id) ?? true);
    if (mayBeSent) this.#marked++;
    const returned = {
      ...record,
      slotIn: undefined,
      ...(!shared && { message }),
      ...(mayBeSent && { possibleDuplicate: true as const }),
    };
    ops.push({ table: 'deliveries', key: deliveryKey(number, index), value: encode(returned) });
    const queue = schedule.of(delivery);
    schedule.addSlot(queue, { wakeAt: record.wakeAt, number, index }, ops);
    this.#slots.push({ queue, wakeAt: record.wakeAt, number });
  }
}
