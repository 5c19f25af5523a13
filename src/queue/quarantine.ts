/**
 * Deliveries whose record, message or content is damaged. They have no slot and no lease, so nothing tries them again
 * and again; they stay queued and counted until an operator removes them or, when they can be read again (a store that
 * was put back, a mended disk), releases them. A lifetime that can be read ends them too.
 */
import { deliveryIdOf, messageIdOf } from '../core/index.ts';
import type { EventDraft, Transaction } from './committer.ts';
import { deliveryKey, parseDeliveryKey } from './keys.ts';
import type { Kv } from './kv.ts';
import { deliveryEvent } from './labels.ts';
import type { QueueHead, QueueKey } from './queue-head.ts';
import { type Delivery, encode, healthy } from './records.ts';

type Row = Pick<QueueKey, 'node' | 'domain' | 'sender' | 'account' | 'campaign'>;

/** What the store keeps of it. */
export interface QuarantineRecord {
  readonly at: number;
  readonly reason: string;
  /** The row of the counts that it is part of, where that is known. */
  readonly row?: Row | undefined;
}

export interface Place {
  readonly number: number;
  readonly index: number;
}

export interface Quarantined extends Place, QuarantineRecord {}

/** What is known of a damaged delivery. */
export interface Damaged extends Place {
  /** What is damaged. */
  readonly error: unknown;
  readonly at: number;
  /** The queue that it was leased from. */
  readonly queue?: QueueHead;
  readonly delivery?: Delivery | undefined;
}

export class Quarantine {
  readonly #kv: Kv;
  #count = 0;

  constructor(kv: Kv) {
    this.#kv = kv;
    for (const _ of kv.range('damaged', {})) this.#count++;
  }

  get count(): number {
    return this.#count;
  }

  /** The commit that changed it is durable. */
  changed(by: number): void {
    this.#count += by;
  }

  has({ number, index }: Place): boolean {
    return this.#count > 0 && this.#kv.get('damaged', deliveryKey(number, index)) !== undefined;
  }

  /** The oldest ones after a place. */
  list(after: Place | undefined, limit: number): Quarantined[] {
    const start = after && deliveryKey(after.number, after.index + 1);
    return [...this.#kv.range('damaged', { ...(start && { start }), limit })].map(({ key, value }) => {
      const unreadable = { at: 0, reason: 'the entry itself is damaged' };
      return { ...parseDeliveryKey(key), ...(healthy<QuarantineRecord>(value) ?? unreadable) };
    });
  }

  /** Adds a delivery that has lost its slot or its lease in this transaction. */
  add(transaction: Transaction, { number, index, error, at, queue, delivery }: Damaged): void {
    if (this.has({ number, index })) return;
    const reason = error instanceof Error ? error.message : String(error);
    const row = queue && rowOf(queue);
    const value = encode({ at, reason, row } satisfies QuarantineRecord);
    transaction.ops.push({ table: 'damaged', key: deliveryKey(number, index), value });
    transaction.quarantined++;
    const labels = delivery ? deliveryEvent(delivery) : labelsOf({ number, index }, row);
    transaction.events.push({ type: 'quarantined', time: at, reason, ...labels });
  }

  /** Its delivery ends, or is queued again, in this transaction. */
  leave(transaction: Transaction, { number, index }: Place): void {
    if (!this.has({ number, index })) return;
    transaction.ops.push({ table: 'damaged', key: deliveryKey(number, index), value: undefined });
    transaction.quarantined--;
  }
}

const rowOf = ({ node, domain, sender, account, campaign }: Row): Row => ({
  node,
  domain,
  sender,
  account,
  campaign,
});

/** What an event can say of a delivery that cannot be read. */
export function labelsOf({ number, index }: Place, row: Row | undefined): Omit<EventDraft, 'type' | 'time'> {
  return {
    delivery_id: deliveryIdOf(number, index),
    message_id: messageIdOf(number),
    ...(row && {
      node: row.node,
      sender: row.sender,
      account_id: row.account || undefined,
      campaign_id: row.campaign || undefined,
      recipient: `@${row.domain}`,
    }),
  };
}
