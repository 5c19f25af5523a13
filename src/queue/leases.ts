/**
 * Who holds which delivery. A lease is one small value per commit that names the deliveries it took from the
 * schedule; it is removed when all of them have an outcome. After a crash, the deliveries that a lease names and that
 * have neither ended nor a slot are those that may have been on the wire.
 */
import { deliveryIdOf, parseDeliveryId } from '../core/index.ts';
import type { Transaction } from './committer.ts';
import { deliveryKey, numberKey, parseDeliveryKey } from './keys.ts';
import { seal, unseal } from './records.ts';

const KEY_BYTES = 12;

export const encodeLease = (deliveries: readonly { number: number; index: number }[]): Buffer =>
  seal(Buffer.concat(deliveries.map(({ number, index }) => deliveryKey(number, index))));

export function decodeLease(value: Buffer): { number: number; index: number }[] {
  const payload = unseal(value);
  const deliveries: { number: number; index: number }[] = [];
  for (let at = 0; at < payload.length; at += KEY_BYTES)
    deliveries.push(parseDeliveryKey(payload.subarray(at)));
  return deliveries;
}

export class Leases {
  readonly #held = new Map<string, number>();
  readonly #open = new Map<number, number>();
  #ended: number[] = [];
  #nextId = 1;

  /** Id of the next transaction's lease. */
  nextId(): number {
    return this.#nextId++;
  }

  /** Id of the newest lease that was given out. */
  get newest(): number {
    return this.#nextId - 1;
  }

  /** Id of the oldest lease that is held; Infinity when there is none. */
  get oldest(): number {
    for (const id of this.#open.keys()) return id;
    return Infinity;
  }

  /** What is leased now. */
  *held(): Generator<{ readonly number: number; readonly index: number }> {
    for (const id of this.#held.keys()) yield parseDeliveryId(id)!;
  }

  /** Deliveries that are leased now. */
  get size(): number {
    return this.#held.size;
  }

  /** The lease a delivery is held under. */
  of(number: number, index: number): number | undefined {
    return this.#held.get(deliveryIdOf(number, index));
  }

  take(leaseId: number, number: number, index: number): void {
    this.#held.set(deliveryIdOf(number, index), leaseId);
    this.#open.set(leaseId, (this.#open.get(leaseId) ?? 0) + 1);
  }

  end(leaseId: number, number: number, index: number): void {
    this.#held.delete(deliveryIdOf(number, index));
    const left = this.#open.get(leaseId)! - 1;
    if (left > 0) {
      this.#open.set(leaseId, left);
    } else {
      this.#open.delete(leaseId);
      this.#ended.push(leaseId);
    }
  }

  /** Adds this transaction's lease, and the removal of those that have ended. */
  seal({ leaseId, leased, ops }: Transaction): void {
    if (leased.length > 0) ops.push({ table: 'leases', key: numberKey(leaseId), value: encodeLease(leased) });
    for (const id of this.#ended) ops.push({ table: 'leases', key: numberKey(id), value: undefined });
  }

  /** The transaction that carried the removals is durable. */
  sealed(): void {
    this.#ended = [];
  }
}
