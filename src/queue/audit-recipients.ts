/**
 * The audit's part on the index of recipients: every delivery that is kept stands in it once, with the hash of its own
 * recipient. What is missing there is not found by its address or campaign, though it is delivered all the same.
 *
 * Memory: two sums (`Tally`), but for a store where they differ; then an id for each that was found.
 */
import { crc32 } from 'node:zlib';
import { deliveryIdOf } from '../core/index.ts';
import type { Findings } from './audit-report.ts';
import { deliveryKey, parseDeliveryKey, parseNumberKey } from './keys.ts';
import type { Kv } from './kv.ts';
import type { Place } from './quarantine.ts';
import { hashOfRecipient, recipientsIn } from './recipient-index.ts';
import { type DeliveryRecord, healthy } from './records.ts';

export class RecipientAudit {
  readonly #kv: Kv;
  readonly #findings: Findings;

  constructor(kv: Kv, findings: Findings) {
    this.#kv = kv;
    this.#findings = findings;
  }

  run(): void {
    const found = new Tally();
    for (const { key, value } of this.#kv.range('recipients', {})) {
      this.#findings.saw('recipients');
      const entries = recipientsIn(value);
      if (!entries) this.#findings.say(`recipients ${parseNumberKey(key)}: the value is damaged`);
      for (const { number, index, hash } of entries ?? [])
        if (this.#fits(number, index, hash)) found.add(number, index);
    }
    const kept = new Tally();
    for (const { number, index } of this.#kept()) kept.add(number, index);
    if (!found.equals(kept)) this.#nameWrong();
  }

  /** Whether the delivery is kept still. */
  #fits(number: number, index: number, hash: number): boolean {
    const key = deliveryKey(number, index);
    const value = this.#kv.get('deliveries', key) ?? this.#kv.get('history', key);
    if (!value) return false;
    const record = healthy<DeliveryRecord>(value);
    if (record && hashOfRecipient(record.recipient) !== hash) {
      const id = deliveryIdOf(number, index);
      this.#findings.say(`delivery ${id} stands among the recipients with another address`, id);
    }
    return true;
  }

  *#kept(): Generator<Place> {
    for (const table of ['deliveries', 'history'] as const)
      for (const { key } of this.#kv.range(table, {})) yield parseDeliveryKey(key);
  }

  #nameWrong(): void {
    const seen = new Set<string>();
    const twice = new Set<string>();
    for (const { value } of this.#kv.range('recipients', {}))
      for (const { number, index } of recipientsIn(value) ?? []) {
        const id = deliveryIdOf(number, index);
        if (seen.has(id)) twice.add(id);
        seen.add(id);
      }
    for (const { number, index } of this.#kept()) {
      const id = deliveryIdOf(number, index);
      if (twice.has(id)) this.#findings.say(`delivery ${id} stands among the recipients twice`, id);
      if (!seen.has(id)) this.#findings.say(`delivery ${id} does not stand among the recipients`, id);
    }
  }
}

/**
 * How many deliveries, and the sum of a digest of each, whatever their order: of one that is there twice in place of
 * another the number is the same, the sum is not (but for one in 2^32).
 */
class Tally {
  #count = 0;
  #sum = 0;

  add(number: number, index: number): void {
    this.#count++;
    this.#sum = (this.#sum + crc32(deliveryKey(number, index))) >>> 0;
  }

  equals(other: Tally): boolean {
    return this.#count === other.#count && this.#sum === other.#sum;
  }
}
