/**
 * What the table `schedule` does not know yet (slot-log.ts): slots that were added or taken away since, by queue and in
 * their order. Numbers in one array for each queue, so that tens of thousands of them take little memory.
 */
import { type Slot, slotKey } from './keys.ts';

/** Wake time, number, index, and whether the slot was added (1) or taken away (0). */
const STRIDE = 4;

export interface PendingSlot {
  readonly key: Buffer;
  /** False: it was taken away. */
  readonly added: boolean;
}

/** The pending slots of one queue. */
export class PendingQueue {
  readonly #id: number;
  #numbers: number[] = [];
  /** How many of them take a slot away. */
  removals = 0;

  constructor(id: number) {
    this.#id = id;
  }

  get size(): number {
    return this.#numbers.length / STRIDE;
  }

  copy(): PendingQueue {
    const copy = new PendingQueue(this.#id);
    copy.#numbers = this.#numbers.slice();
    copy.removals = this.removals;
    return copy;
  }

  at(i: number): PendingSlot {
    return { key: this.#keyAt(i), added: this.#numbers[i * STRIDE + 3] === 1 };
  }

  /** Whether a slot was added or taken away; undefined when the table is right about it. */
  get(slot: Slot): boolean | undefined {
    const i = this.#place(slot);
    return this.#is(i, slot) ? this.#numbers[i * STRIDE + 3] === 1 : undefined;
  }

  add(slot: Slot): void {
    const i = this.#place(slot);
    if (!this.#is(i, slot)) this.#insert(i, slot, 1);
    else if (this.#numbers[i * STRIDE + 3] === 0) {
      this.#numbers[i * STRIDE + 3] = 1;
      this.removals--;
    }
  }

  /** `stored` says whether the table has the slot; asked only of one that was added here. */
  take(slot: Slot, stored: () => boolean): void {
    const i = this.#place(slot);
    if (!this.#is(i, slot)) {
      this.#insert(i, slot, 0);
      this.removals++;
    } else if (this.#numbers[i * STRIDE + 3] === 1) {
      if (stored()) {
        this.#numbers[i * STRIDE + 3] = 0;
        this.removals++;
      } else this.#numbers.splice(i * STRIDE, STRIDE);
    }
  }

  /** Where the first one stands whose key is `bound` or behind it. */
  from(bound: Buffer): number {
    let [low, high] = [0, this.size];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#keyAt(middle).compare(bound) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #keyAt(i: number): Buffer {
    const at = i * STRIDE;
    const [wakeAt, number, index] = [this.#numbers[at]!, this.#numbers[at + 1]!, this.#numbers[at + 2]!];
    return slotKey({ queueId: this.#id, wakeAt, number, index });
  }

  #insert(i: number, { wakeAt, number, index }: Slot, added: number): void {
    const numbers = this.#numbers;
    if (numbers.length === 0) this.#numbers = [wakeAt, number, index, added];
    else if (i * STRIDE === numbers.length) numbers.push(wakeAt, number, index, added);
    else numbers.splice(i * STRIDE, 0, wakeAt, number, index, added);
  }

  #is(i: number, { wakeAt, number, index }: Slot): boolean {
    const at = i * STRIDE;
    const numbers = this.#numbers;
    return numbers[at] === wakeAt && numbers[at + 1] === number && numbers[at + 2] === index;
  }

  /** Where the slot stands, or would stand. Most come behind all others. */
  #place(slot: Slot): number {
    let [low, high] = [0, this.size];
    if (high > 0 && this.#isBefore(high - 1, slot)) return high;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#isBefore(middle, slot)) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #isBefore(i: number, { wakeAt, number, index }: Slot): boolean {
    const at = i * STRIDE;
    const numbers = this.#numbers;
    if (numbers[at] !== wakeAt) return numbers[at]! < wakeAt;
    if (numbers[at + 1] !== number) return numbers[at + 1]! < number;
    return numbers[at + 2]! < index;
  }
}

/** Where the first one stands, of numbers in order, that is `low` or larger. */
export function firstFrom(ids: readonly number[], low: number): number {
  let [from, to] = [0, ids.length];
  while (from < to) {
    const middle = (from + to) >>> 1;
    if (ids[middle]! < low) from = middle + 1;
    else to = middle;
  }
  return from;
}
