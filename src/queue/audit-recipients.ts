/**
 * The audit's part on the index of recipients: every delivery that is kept stands in it once, with the hash of its own
 * recipient. What is missing there is not found by its address or campaign, though it is delivered all the same.
 *
 * Memory: nothing, but for a store where some are missing; then an id for each that was found.
 */
import { deliveryIdOf } from '../core/index.ts';
import type { Findings } from './audit-report.ts';
import { deliveryKey, parseDeliveryKey, parseNumberKey } from './keys.ts';
import type { Kv } from './kv.ts';
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
    let found = 0;
    for (const { key, value } of this.#kv.range('recipients', {})) {
      this.#findings.saw('recipients');
      const entries = recipientsIn(value);
      if (!entries) this.#findings.say(`recipients ${parseNumberKey(key)}: the value is damaged`);
      for (const { number, index, hash } of entries ?? []) if (this.#fits(number, index, hash)) found++;
    }
    let kept = 0;
    for (const _ of this.#kept()) kept++;
    if (found !== kept) this.#nameMissing(kept - found);
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

  *#kept(): Generator<string> {
    for (const table of ['deliveries', 'history'] as const)
      for (const { key } of this.#kv.range(table, {})) {
        const { number, index } = parseDeliveryKey(key);
        yield deliveryIdOf(number, index);
      }
  }

  #nameMissing(count: number): void {
    const seen = new Set<string>();
    for (const { value } of this.#kv.range('recipients', {}))
      for (const { number, index } of recipientsIn(value) ?? []) seen.add(deliveryIdOf(number, index));
    if (count < 0) this.#findings.say(`${-count} deliveries stand among the recipients twice`);
    for (const id of this.#kept())
      if (!seen.has(id)) this.#findings.say(`delivery ${id} does not stand among the recipients`, id);
  }
}
