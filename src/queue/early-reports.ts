/**
 * Reports about deliveries that have not ended yet: a bounce may be here before the 250 that it follows is recorded.
 * A bounce waits for the end of its delivery and takes effect in the same transaction; of a complaint or a request to
 * unsubscribe, which take effect at once, the mark waits that keeps a second one from counting again.
 *
 * Each delivery ends, so what waits goes away; it is bounded besides.
 */
import { deliveryIdOf } from '../core/index.ts';
import type { Transaction } from './committer.ts';
import { deliveryKey, parseDeliveryKey } from './keys.ts';
import type { Kv } from './kv.ts';
import { type Delivery, type EarlyReport, encode, healthy } from './records.ts';

const MAX_EARLY = 100_000;

export class EarlyReports {
  readonly #kv: Kv;
  /** The deliveries that have some: an end looks here, and in the store only if it must. */
  readonly #ids = new Set<string>();
  readonly #most: number;

  constructor(kv: Kv, most = MAX_EARLY) {
    this.#kv = kv;
    this.#most = most;
    for (const { key } of kv.range('early_reports', {})) {
      const { number, index } = parseDeliveryKey(key);
      this.#ids.add(deliveryIdOf(number, index));
    }
  }

  get size(): number {
    return this.#ids.size;
  }

  of({ early }: Transaction, { id, number, index }: Delivery): EarlyReport | undefined {
    if (early.size === 0 && (this.#ids.size === 0 || !this.#ids.has(id))) return undefined;
    const pending = early.get(id);
    if (pending || !this.#ids.has(id)) return pending;
    const value = this.#kv.get('early_reports', deliveryKey(number, index));
    return value && healthy<EarlyReport>(value);
  }

  /** False: too many wait. */
  put({ ops, early }: Transaction, { id, number, index }: Delivery, report: EarlyReport): boolean {
    if (this.#ids.size + early.size >= this.#most && !this.#ids.has(id) && !early.has(id)) return false;
    early.set(id, report);
    ops.push({ table: 'early_reports', key: deliveryKey(number, index), value: encode(report) });
    return true;
  }

  /** What waited for the end of a delivery; it is gone with the transaction. */
  take(transaction: Transaction, delivery: Delivery): EarlyReport | undefined {
    const early = this.of(transaction, delivery);
    // One that cannot be read goes too.
    if (!early && !this.#ids.has(delivery.id)) return undefined;
    const key = deliveryKey(delivery.number, delivery.index);
    transaction.ops.push({ table: 'early_reports', key, value: undefined });
    return early;
  }

  /** The transaction is durable. */
  committed({ early, ended }: Transaction): void {
    for (const id of early.keys()) this.#ids.add(id);
    if (this.#ids.size > 0) for (const id of ended.keys()) this.#ids.delete(id);
  }
}
