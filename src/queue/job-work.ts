/** One slice of a job: reads some slots of a queue, and does to the deliveries that fit what the job is about. */
import type { Transaction, Work } from './committer.ts';
import { endUnattempted } from './ending.ts';
import { changed } from './job.ts';
import { addProgress, conclude, type Progress, requeue } from './job-progress.ts';
import { readDelivery, takeSlot } from './leasing.ts';
import type { Delivery, DeliveryRecord } from './records.ts';
import type { QueueHead } from './queue-head.ts';
import { fitsDelivery, fitsNumber } from './selector.ts';
import type { QueueState } from './state.ts';

/** Deliveries changed, and slots looked at, in one commit. */
const CHANGES = 200;
const SLOTS = 2_000;

export class JobWork implements Work {
  readonly #state: QueueState;
  readonly #progress: Progress;
  readonly #queue: QueueHead;
  readonly #after: Buffer | undefined;
  readonly #slots: { queue: QueueHead; wakeAt: number }[] = [];
  #changes = 0;
  /** Of these, those that the job's record was told of. */
  #told = 0;
  #taken = 0;
  /** Where the next slice starts; undefined when the queue is through. */
  next: Buffer | undefined;

  constructor(state: QueueState, progress: Progress, queue: QueueHead, after: Buffer | undefined) {
    this.#state = state;
    this.#progress = progress;
    this.#queue = queue;
    this.#after = after;
  }

  build(transaction: Transaction): void {
    const { selector, watermark } = this.#progress.record;
    let looked = 0;
    for (const slot of this.#state.schedule.slots(this.#queue, this.#after, SLOTS)) {
      if (++looked === SLOTS) this.next = slot.key;
      if (slot.number >= watermark || !fitsNumber(selector, slot.number)) continue;
      this.#look(transaction, slot);
      if (this.#changes < CHANGES) continue;
      this.next = slot.key;
      break;
    }
    if (this.#changes === 0) return;
    addProgress(this.#progress, this.#changes, transaction);
    this.#told = this.#changes;
  }

  applied(): void {
    const { schedule, dispatcher } = this.#state;
    conclude(this.#progress, this.#told, true);
    for (const { queue, wakeAt } of this.#slots)
      if (schedule.added(queue, wakeAt)) dispatcher?.wake(queue, wakeAt);
    if (this.#taken === 0) return;
    const next = schedule.taken(this.#queue, this.#taken);
    if (next !== Infinity) dispatcher?.wake(this.#queue, next);
  }

  failed(): void {
    conclude(this.#progress, this.#told, false);
    for (const { queue } of this.#slots) this.#state.schedule.unused(queue);
  }

  #look(
    transaction: Transaction,
    { key, number, index }: { key: Buffer; number: number; index: number },
  ): void {
    const delivery = this.#read(number, index);
    const { selector, operation } = this.#progress.record;
    if (!delivery || !fitsDelivery(selector, number, delivery.record)) return;
    if (operation.op === 'purge') {
      if (!this.#take(transaction, key)) return;
      endUnattempted(this.#state, transaction, delivery, 'removed');
      return;
    }
    const record = this.#changedRecord(delivery);
    if (!record || !this.#take(transaction, key)) return;
    requeue(transaction, delivery, record, this.#state.clock.now());
    const queue = this.#state.schedule.of({ record, message: delivery.message });
    this.#slots.push({ queue, wakeAt: record.wakeAt });
    this.#state.schedule.addSlot(queue, { wakeAt: record.wakeAt, number, index }, transaction.ops);
  }

  /** Undefined when there is nothing to change. A hold or release of single deliveries sets their marks. */
  #changedRecord({ number, record, message }: Delivery): DeliveryRecord | undefined {
    const { operation, at } = this.#progress.record;
    const sets = operation.op === 'hold' || operation.op === 'release';
    const wanted = sets ? record : changed(operation, { number, record }, at);
    const next = wanted && this.#state.holds.placed(number, wanted, message);
    return next === record ? undefined : next;
  }

  #take(transaction: Transaction, key: Buffer): boolean {
    // Taken: a lease or the sweep of this same commit has it.
    if (!takeSlot(transaction, key)) return false;
    this.#taken++;
    this.#changes++;
    return true;
  }

  /** What is damaged stays as it is. */
  #read(number: number, index: number): Delivery | undefined {
    try {
      return readDelivery(this.#state, number, index);
    } catch {
      return undefined;
    }
  }
}
